/** Any bytes at the control socket of an interface: nothing throws, the pieces in which they come do not matter, and what is understood
 * is understood again when it is said anew. */
import { asciiBytes } from '@vrouter/core/bytes.ts';
import { defaultLimits, UapiParser, type UapiRequest } from './parser.ts';
import { formatSet } from './request.testing.ts';

export const name = 'wire/uapi';

const key = 'a0'.repeat(32);

export const seeds: readonly Uint8Array[] = [
  'get=1\n\n',
  `set=1\nprivate_key=${key}\nlisten_port=51820\nfwmark=0\nreplace_peers=true\npublic_key=${key}\nremove=true\n\n`,
  `set=1\npublic_key=${key}\nupdate_only=true\npreshared_key=${key}\nendpoint=[2001:db8::1]:5\npersistent_keepalive_interval=25\n\n`,
  `set=1\npublic_key=${key}\nreplace_allowed_ips=true\nallowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/64\nprotocol_version=1\n\nget=1\n\n`,
].map(asciiBytes);

export function fuzzOne(bytes: Uint8Array): void {
  const limits = { ...defaultLimits, operation: 4096 };
  const whole = read(limits, [bytes]);
  const pieces = read(
    limits,
    Array.from(bytes, (byte) => Uint8Array.of(byte)),
  );
  if (JSON.stringify(pieces) !== JSON.stringify(whole)) throw new Error('the pieces in which it came mattered');
  for (const request of whole) {
    if (request.op !== 'set') continue;
    const again = read(defaultLimits, [asciiBytes(formatSet(request.set))]);
    if (JSON.stringify(again) !== JSON.stringify([request]))
      throw new Error(`said anew it was another: ${JSON.stringify([request, ...again])}`);
  }
}

function read(limits: typeof defaultLimits, pieces: readonly Uint8Array[]): UapiRequest[] {
  const parser = new UapiParser(limits);
  const out: UapiRequest[] = [];
  for (const piece of pieces) parser.push(piece, out);
  return out;
}
