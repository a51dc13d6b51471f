/**
 * The real wg(8) on our interfaces. Each call of it stands in a mount namespace of its own, where /var/run/wireguard is the folder of
 * the one daemon that is meant: others on this machine neither see nor disturb it.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exchange } from '../programs/demo/traffic/exchange.ts';
import { GatewayApi } from '../programs/demo/world/gateway-api.ts';
import { newKeyPair } from '../programs/demo/world/network.ts';
import { waitFor } from '../programs/demo/world/wait.ts';
import { withNetwork } from './thread/network.ts';
import { needs } from './world/needs.ts';

const world = { skip: needs('root', 'wg', 'unshare', 'mount') };
const vrouterd = fileURLToPath(new URL('../programs/vrouterd/main.ts', import.meta.url));

interface Wg {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Where a daemon's sockets are, for a world without the machine's own /var/run/wireguard: linked as the daemon says. */
function wgFolder(folder: string, sockets: readonly (readonly [name: string, path: string])[]): string {
  const linked = join(folder, 'wg');
  rmSync(linked, { recursive: true, force: true });
  mkdirSync(linked);
  for (const [name, path] of sockets) symlinkSync(path, join(linked, `${name}.sock`));
  return linked;
}

/** Sockets are reached by another path than the machine's, which the namespace hides. */
function wg(linked: string, args: readonly string[], input = ''): Wg {
  const script = 'mkdir -p /run/wireguard && mount --bind /run/wireguard "$1/machine" && mount --bind "$1" /run/wireguard && shift && exec wg "$@"';
  mkdirSync(join(linked, 'machine'), { recursive: true });
  const done = spawnSync('unshare', ['-m', 'sh', '-ec', script, 'sh', linked, ...args], {
    input,
    encoding: 'utf8',
    timeout: 30_000,
    env: { ...process.env, WG_HIDE_KEYS: 'never' },
  });
  return { status: done.status, out: done.stdout, err: done.stderr };
}
