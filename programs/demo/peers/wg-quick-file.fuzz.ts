/** Any text as a wg-quick(8) file: it is read, or refused with a problem that has a code. */
import { ProblemError } from '@vrouter/core/problem.ts';
import { parseWgQuickFile } from './wg-quick-file.ts';

export const name = 'demo/wg-quick-file';

const key = `${'A'.repeat(43)}=`;
export const seeds: readonly Uint8Array[] = [
  `[Interface]\nPrivateKey = ${key}\nAddress = 10.77.0.2/32, fd77::2/128\nMTU = 1420\n\n[Peer] # hub\nPublicKey = ${key}\nPresharedKey = ${key}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 192.0.2.1:51820\nPersistentKeepalive = 25\n`,
  `[interface]\nprivatekey=${key}\n[Peer]\npublickey=${key}\npersistentkeepalive=off\n`,
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  try {
    parseWgQuickFile(new TextDecoder().decode(bytes));
  } catch (thrown) {
    if (!(thrown instanceof ProblemError)) throw thrown;
  }
}
