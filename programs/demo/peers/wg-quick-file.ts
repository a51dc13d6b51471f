/** The file that wg-quick(8) reads, as far as a demo peer needs it: INI, `#` comments, keys in any case. */
import { parseKey } from '@vrouter/core/bytes.ts';
import { type Endpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';

export interface WgQuickPeer {
  readonly publicKey: Uint8Array;
  readonly presharedKey: Uint8Array | null;
  readonly allowedIps: readonly Prefix[];
  readonly endpoint: Endpoint | null;
  readonly persistentKeepaliveSeconds: number;
}

export interface WgQuickFile {
  readonly privateKey: Uint8Array;
  readonly listenPort: number;
  readonly addresses: readonly Prefix[];
  readonly mtu: number;
  readonly peers: readonly WgQuickPeer[];
}

/** Throws ProblemError `config.invalid`, or what is wrong with a key or an address. */
export function parseWgQuickFile(text: string): WgQuickFile {
  const sections: { name: string; values: Map<string, string[]> }[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const header = /^\[(\w+)\]$/.exec(line);
    const pair = /^(\w+)\s*=\s*(.*)$/.exec(line);
    if (header !== null) sections.push({ name: header[1]!.toLowerCase(), values: new Map() });
    else if (pair !== null && sections.length > 0) {
      const { values } = sections.at(-1)!;
      const name = pair[1]!.toLowerCase();
      values.set(name, [...(values.get(name) ?? []), ...pair[2]!.split(',').map((part) => part.trim())]);
    } else throw new ProblemError(problem('config.invalid', `line ${index + 1} is neither [Section] nor Key = value`));
  }
  const own = sections.find((section) => section.name === 'interface')?.values;
  if (own === undefined) throw new ProblemError(problem('config.invalid', 'there is no [Interface] section'));
  return {
    privateKey: need(parseKey(one(own, 'privatekey') ?? '', 'PrivateKey')),
    listenPort: Number(one(own, 'listenport') ?? 0),
    addresses: (own.get('address') ?? []).map((address) => need(parseInterfaceAddress(address, 'Address'))),
    mtu: Number(one(own, 'mtu') ?? 1420),
    peers: sections.filter((section) => section.name === 'peer').map(({ values }) => readPeer(values)),
  };
}

function readPeer(values: Map<string, string[]>): WgQuickPeer {
  const psk = one(values, 'presharedkey');
  const endpoint = one(values, 'endpoint');
  const keepalive = one(values, 'persistentkeepalive');
  return {
    publicKey: need(parseKey(one(values, 'publickey') ?? '', 'PublicKey')),
    presharedKey: psk === undefined ? null : need(parseKey(psk, 'PresharedKey')),
    allowedIps: (values.get('allowedips') ?? []).map((prefix) => need(parsePrefix(prefix, 'AllowedIPs'))),
    endpoint: endpoint === undefined ? null : need(parseEndpoint(endpoint, 'Endpoint')),
    persistentKeepaliveSeconds: keepalive === undefined || keepalive === 'off' ? 0 : Number(keepalive),
  };
}

function one(values: Map<string, string[]>, name: string): string | undefined {
  return values.get(name)?.at(-1);
}

function need<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.error);
}
