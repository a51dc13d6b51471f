/** vrouterd in a machine, on that one's kernel. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const VROUTERD = fileURLToPath(new URL('../../../programs/vrouterd/main.ts', import.meta.url));
/** Its folder and its file, in the machine. */
export const DATA = '/run/gateway';
export const CONFIG = '/run/gateway.yaml';
export const CONFIG_TEXT = `plane: linux\ndata: ${DATA}\n`;

/** Compiles it into the folder, or the emulated machine would for half a minute; what it finds that by. */
export function compiled(folder: string): { readonly NODE_COMPILE_CACHE: string } {
  const cache = { NODE_COMPILE_CACHE: join(folder, 'compiled') };
  execFileSync(process.execPath, [VROUTERD, '--help'], { env: { ...process.env, ...cache }, stdio: 'ignore' });
  return cache;
}
