/** What this door has said so far, by what clients call it. */
import { containsPrefix, type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { ok, type Result } from '@vrouter/core/result.ts';
import {
  type DnsNameIntent,
  type IntentKey,
  intentKey,
  type MasqueradeIntent,
  type NetworkIntent,
  type PublishedPortIntent,
} from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { Note, Said } from './intents.ts';

/** One kind of what was said. */
export interface SaidAs<I> {
  readonly key: IntentKey;
  readonly intent: I;
  readonly note: Note;
}

export const networkId = (vlanId: number): string => `vlan-${vlanId}`;

export class RouterState {
  /** By VLAN id, from low to high. */
  readonly vlans: ReadonlyMap<number, SaidAs<NetworkIntent>>;
  readonly names: readonly SaidAs<DnsNameIntent>[];
  readonly ports: readonly SaidAs<PublishedPortIntent>[];
  readonly masquerades: readonly SaidAs<MasqueradeIntent>[];
  readonly #byKey: ReadonlyMap<IntentKey, Said>;

  constructor(said: readonly Said[]) {
    const vlans: (readonly [number, SaidAs<NetworkIntent>])[] = [];
    const names: SaidAs<DnsNameIntent>[] = [];
    const ports: SaidAs<PublishedPortIntent>[] = [];
    const masquerades: SaidAs<MasqueradeIntent>[] = [];
    for (const { intent, note } of said) {
      const key = intentKey(intent);
      if (intent.kind === 'network' && intent.vlanId !== null) vlans.push([intent.vlanId, { key, intent, note }]);
      else if (intent.kind === 'dnsName') names.push({ key, intent, note });
      else if (intent.kind === 'publishedPort') ports.push({ key, intent, note });
      else if (intent.kind === 'masquerade') masquerades.push({ key, intent, note });
    }
    this.vlans = new Map(vlans.sort(([a], [b]) => a - b));
    this.names = names;
    this.ports = ports;
    this.masquerades = masquerades;
    this.#byKey = new Map(said.map((one) => [intentKey(one.intent), one]));
  }

  all(): readonly Said[] {
    return [...this.#byKey.values()];
  }

  get(key: IntentKey): Said | undefined {
    return this.#byKey.get(key);
  }

  /** The VLAN in whose subnet an address lies. */
  vlanOfAddress(address: string): SaidAs<NetworkIntent> | undefined {
    for (const vlan of this.vlans.values()) if (isInNetwork(vlan.intent, address)) return vlan;
    return undefined;
  }
}

/** Whether an address, or a prefix as a whole, lies in a subnet of the network. */
export function isInNetwork({ subnets }: NetworkIntent, text: string): boolean {
  return subnets.some(({ prefix }) => isInPrefix(prefix, text));
}

export function isInPrefix(prefix: string, text: string): boolean {
  const inner = parseInterfaceAddress(text);
  return inner.ok && containsPrefix(prefixOf(prefix), inner.value);
}

/** The prefix of a subnet that was read once. */
export function prefixOf(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new TypeError(parsed.error.message);
  return parsed.value;
}

/** An intent in its one form, as a start would read it from the store. */
export function said(json: object, note: Note): Result<Said> {
  const parsed = parseIntent(json);
  return parsed.ok ? ok({ intent: parsed.value, note }) : parsed;
}
