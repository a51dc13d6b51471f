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
import type { Note, RouterChange, Said } from './intents.ts';

/** One kind of what was said. */
export interface SaidAs<I> {
  readonly key: IntentKey;
  readonly intent: I;
  readonly note: Note;
}

export const networkId = (vlanId: number): string => `vlan-${vlanId}`;

/** Kept up to date change by change: to read all of it anew costs as much as there is. */
export class RouterState {
  #vlans = new Map<number, SaidAs<NetworkIntent>>();
  readonly #names = new Map<IntentKey, SaidAs<DnsNameIntent>>();
  readonly #ports = new Map<IntentKey, SaidAs<PublishedPortIntent>>();
  readonly #masquerades = new Map<IntentKey, SaidAs<MasqueradeIntent>>();
  readonly #byKey = new Map<IntentKey, Said>();

  constructor(said: readonly Said[]) {
    for (const one of said) this.#put(one);
    this.#sort();
  }

  /** What was said by a change, as whoever keeps intents has it then: what is said anew keeps its place. */
  apply({ put, remove }: RouterChange): void {
    for (const key of remove) this.#remove(key);
    let isNewVlan = false;
    for (const one of put) {
      const { intent } = one;
      if (intent.kind === 'network' && intent.vlanId !== null && !this.#vlans.has(intent.vlanId)) isNewVlan = true;
      this.#put(one);
    }
    if (isNewVlan) this.#sort();
  }

  #put(one: Said): void {
    const { intent, note } = one;
    const key = intentKey(intent);
    this.#byKey.set(key, one);
    if (intent.kind === 'network' && intent.vlanId !== null) this.#vlans.set(intent.vlanId, { key, intent, note });
    else if (intent.kind === 'dnsName') this.#names.set(key, { key, intent, note });
    else if (intent.kind === 'publishedPort') this.#ports.set(key, { key, intent, note });
    else if (intent.kind === 'masquerade') this.#masquerades.set(key, { key, intent, note });
  }

  #remove(key: IntentKey): void {
    const gone = this.#byKey.get(key)?.intent;
    if (gone === undefined) return;
    this.#byKey.delete(key);
    if (gone.kind === 'network' && gone.vlanId !== null) this.#vlans.delete(gone.vlanId);
    this.#names.delete(key);
    this.#ports.delete(key);
    this.#masquerades.delete(key);
  }

  #sort(): void {
    this.#vlans = new Map([...this.#vlans].sort(([a], [b]) => a - b));
  }

  /** By VLAN id, from low to high. */
  get vlans(): ReadonlyMap<number, SaidAs<NetworkIntent>> {
    return this.#vlans;
  }

  get names(): readonly SaidAs<DnsNameIntent>[] {
    return [...this.#names.values()];
  }

  get ports(): readonly SaidAs<PublishedPortIntent>[] {
    return [...this.#ports.values()];
  }

  get masquerades(): readonly SaidAs<MasqueradeIntent>[] {
    return [...this.#masquerades.values()];
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
