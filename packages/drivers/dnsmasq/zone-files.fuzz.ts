/** Any text in the files of a zone: it is what we wrote, or nothing of it is taken for a zone. */
import { checkRecord, checkZone } from './check.ts';
import { namesText, parseNames } from './render.ts';
import { parseZone } from './zones.ts';

export const name = 'drivers/dnsmasq/zone-files';

export const seeds: readonly Uint8Array[] = [
  '{"kind":"dnsZone","name":"blue","link":"br-blue","listen":["172.18.0.1"],"domain":"blue.example","upstreams":["192.0.2.1:53"]}\n',
  '{"kind":"dnsZone","name":"blue","link":"blue","listen":[],"domain":null,"upstreams":null}',
  '172.18.0.5 web\nfd18::5 web\n# the same with the domain\n172.18.0.5 web.blue.example\n',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  const zone = parseZone(text, 'blue');
  if (zone !== null && checkZone(zone) !== null) throw new Error('a zone that may not be written');
  const records = parseNames(text, 'blue').filter((record) => checkRecord(record, null) === null);
  const plain = { kind: 'dnsZone', name: 'blue', link: 'blue', listen: [], domain: null, upstreams: [] } as const;
  for (const line of namesText(plain, records).split('\n'))
    if (!/^([0-9a-f.:]+ [a-z0-9_.-]+|# .*|)$/.test(line)) throw new Error(`a line that may not be written: ${line}`);
}
