/** Intents as they may be shown: in the place of each secret, the first digits of its fingerprint, so that another one shows as such. */
import type { Intent } from '@vrouter/intent/model/intents.ts';
import { sha256Hex } from '../ca/keys.ts';

type SecretFields = { readonly [K in Intent['kind']]: readonly (keyof Extract<Intent, { kind: K }> & string)[] };

/** Fields that are secrets; a kind that is new must say which it has. */
const secrets: SecretFields = {
  vrf: [],
  gatewayInterface: [],
  hostInterface: [],
  port: [],
  address: [],
  peer: ['presharedKey'],
  peerSuccessor: ['presharedKey'],
  route: [],
  masquerade: [],
  publishedPort: [],
  floatingIp: [],
  natSettings: [],
  network: [],
  dnsName: [],
  interface: [],
  policyRule: [],
};
/** 32 bits tell two keys of one peer apart, and are of no use to whoever guesses. */
const DIGITS = 8;

/** `body`: canonical JSON of an intent. */
export function shownIntent(body: string): { [field: string]: unknown } {
  const intent = JSON.parse(body) as Intent & { [field: string]: unknown };
  const shown: { [field: string]: unknown } = { ...intent };
  for (const field of secrets[intent.kind] ?? Object.keys(shown)) {
    const value = shown[field];
    if (typeof value === 'string')
      shown[field] = { fingerprint: sha256Hex(Buffer.from(value, 'base64')).slice(0, DIGITS) };
  }
  return shown;
}
