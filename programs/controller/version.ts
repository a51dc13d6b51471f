/** Ours, as `--version`, the logs and REST show it. */
import manifest from './package.json' with { type: 'json' };

export const VERSION = manifest.version;
