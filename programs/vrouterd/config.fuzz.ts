/** Any text as a configuration file: it is read, or refused with `config.invalid`, and nothing else is thrown. */
import { ProblemError } from '@vrouter/core/problem.ts';
import { parseConfigFile } from './config.ts';
import { fileIntents } from './doors/file/intents.ts';

export const name = 'vrouterd/config';

export const seeds: readonly Uint8Array[] = [
  'plane: userspace\ndata: /var/lib/vrouter\nengine: { start: true, workers: 3 }\nlogLevel: info\n',
  'intents:\n  - { kind: vrf, name: blue }\n  - { kind: hostInterface, name: host0, addresses: [10.99.0.1/24], routes: [10.77.0.0/24] }\n',
  'a: &a [1, 2]\nb: &b [*a, *a]\nintents: [*b, *b, !!binary aGk=, !!set {x}, 2001-01-01]\n',
  '{"plane": "userspace", "intents": [{"kind": "gatewayInterface", "name": "wg0", "type": "wireguard", "listenPort": 51820}]}',
  '%YAML 1.2\n---\n? {a: b}\n: "\\x00\\ud800"\n...\n---\nplane: userspace\n',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  try {
    const { intents } = parseConfigFile(new TextDecoder().decode(bytes), 'file');
    fileIntents(intents ?? []);
  } catch (thrown) {
    if (!(thrown instanceof ProblemError)) throw thrown;
  }
}
