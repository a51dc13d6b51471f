/** Any text as a file of apply: it is read, or every mistake has a place in it; nothing is thrown. What was read is the same when read again. */
import { canonicalJson } from '@vrouter/core/json.ts';
import { type Read, readSources } from './read.ts';

export const name = 'cli/apply';

export const seeds: readonly Uint8Array[] = [
  `vrouters:
  edge-1:
    endpoint: vpn.example.org
    networks: [10.77.0.0/24, 'fd77::/64']
    vrfs: { blue: , red: {} }
    peers:
      01: { publicKey: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=, presharedKey: null, allowedIps: [192.168.5.0/24] }
    natSettings: { sessions: 1000 }
`,
  `vrouters: {e: {ports: {lan: {tap: t0, mac: 02-00-00-00-00-01}}, hostInterfaces: {host0: {mtu: 1280, addresses: [fd99::1/64]}}}}
---
vrouters:
  e:
    routes: [{prefix: 10.0.0.0/8, interface: lan, nextHop: 192.168.1.2}, {prefix: ::/0, blackhole: true}]
    masquerades: [{prefix: 10.0.0.0/8, leaving: [lan]}]
    publishedPorts: [{protocol: tcp, hostPort: 80, address: 10.77.0.2, port: 80}]
    floatingIps: {mail: {address: 192.0.2.1, fixedAddress: 10.77.0.2}}
`,
  'a: &a [1, 2]\nvrouters: &v {e: {vrfs: *v, peers: {<<: *a, ? [x] : y, __proto__: {}, constructor: 1}}}\n',
  '%YAML 1.1\n---\nvrouters: {e: {mtu: 1:20, listenPort: 0o17, endpoint: !!binary aGk=, vrf: !!set {x}}}\n',
  '{"vrouters": {"e": {"peers": {"p": {"publicKey": "\\ud800"}}}}}',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  const once = read(text);
  for (const { place, message, code } of once.mistakes)
    if (place.line < 1 || place.column < 1 || message === '' || code === ('' as string))
      throw new Error(`no place: ${message}`);
  if (once.mistakes.length > 0) return;
  if (canonicalJson(shown(once)) !== canonicalJson(shown(read(text))))
    throw new Error('it was read otherwise the second time');
}

const read = (text: string): Read => readSources([{ file: 'f', text }]);
const shown = ({ vrouters }: Read): unknown =>
  vrouters.map(({ name: vrouter, own, parts }) => [vrouter, own, [...parts]]);
