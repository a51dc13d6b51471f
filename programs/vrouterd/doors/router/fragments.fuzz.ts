/** Any text as a file of an older router's names: never a throw, and only what it says. */
import { parseFragment } from './fragments.ts';

export const name = 'vrouterd/doors/router/fragments';

export const seeds: readonly Uint8Array[] = [
  'listen-address=172.18.0.1\nhost-record=web,172.18.0.2\n',
  '# none\nhost-record=a,b,c\nhost-record=,\ndhcp-script=/bin/sh\n',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const { hosts } = parseFragment(100, new TextDecoder().decode(bytes));
  for (const [host, address] of hosts)
    if (/[,\n]/.test(host + address)) throw new Error('a name with what no name has');
}
