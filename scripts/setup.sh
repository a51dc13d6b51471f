#!/bin/sh
# Makes a fresh clone ready: installs what package-lock.json pins, the right Node included, if that has not been done yet.
# Plain sh, because it runs before the project's own Node is there. Speaks on stderr only: stdout belongs to the command.
set -eu
cd "$(dirname "$0")/.."
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ package-lock.json -nt "$installed" ]; then
  # Where the home folder cannot be written, npm's cache lies in the clone too.
  if [ ! -w "${HOME:-/nonexistent}" ]; then
    npm_config_cache="$PWD/.cache/npm"
    export npm_config_cache
  fi
  echo "setting up: installing packages (once, about half a minute)" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch "$installed"
fi
PATH="$PWD/node_modules/.bin:$PATH"
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
if [ "$major" -lt 26 ]; then
  echo "vrouter needs Node 26; no package carries it for this platform ($(uname -sm)). Install Node 26 and try again." >&2
  exit 1
fi
