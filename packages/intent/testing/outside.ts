/** Outside answers for tests and benches: numbers by arrival, keys and fingerprints made from names. Worthless as secrets. */
import { Secret } from '@vrouter/core/secret.ts';
import type { Outside } from '../compile/context.ts';
import { type ObjectKind, objectKinds } from '../model/objects.ts';

/** What a plane without kernel switches can hold: all there is but those. */
export const planeKinds = (Object.keys(objectKinds) as ObjectKind[]).filter((kind) => kind !== 'sysctl');

export interface TestOutside extends Outside {
  /** Interfaces whose private key is not there yet. */
  readonly keyless: Set<string>;
  /** Which key an interface has; a higher generation is another key. */
  readonly generation: Map<string, number>;
}

export function testOutside(): TestOutside {
  const tables = new Map<string, number>();
  const keyless = new Set<string>();
  const generation = new Map<string, number>();
  return {
    keyless,
    generation,
    tableId(vrf) {
      const known = tables.get(vrf) ?? 1001 + tables.size;
      tables.set(vrf, known);
      return known;
    },
    privateKey(name) {
      return keyless.has(name) ? null : testSecret(`${name}/${generation.get(name) ?? 0}`);
    },
    secret: testSecret,
  };
}

/** A Secret whose fingerprint is its text, so that tests can read it. */
export function testSecret(text: string): Secret {
  return new Secret(
    Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff),
    `fp:${text}`,
  );
}

/** The base64 text of a 32-byte key that only its number tells apart. */
export function testKey(number: number): string {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes.toBase64();
}
