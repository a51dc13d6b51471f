/** Any text as a line of dnsmasq's log: nothing throws, and no line of another process counts. */
import { parseLogLine } from './log.ts';

export const name = 'vrouterd/dnsmasq-log';

export const seeds: readonly Uint8Array[] = [
  'Nov 29 19:24:47 dnsmasq[7]: read /run/names/blue/marks/7 - 0 names',
  'Nov 29 19:24:47 dnsmasq[8]: failed to load names from /x: Permission denied',
  'dnsmasq: bad option at line 3 of /x/dnsmasq.conf',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const line = new TextDecoder().decode(bytes);
  const event = parseLogLine(line, 7);
  if (event?.is === 'read' && !line.includes('dnsmasq[7]: ') && !line.includes('dnsmasq: '))
    throw new Error('heard of another process');
}
