/**
 * Tags of configurations: two states have the same one only if they are the same, secrets included. A tag tells nothing of them:
 * 128 bits of SHA-256, and a preshared key in it has 256 bits of its own.
 */
import { canonicalJson } from '@vrouter/core/json.ts';
import { sha256 } from '../ca/keys.ts';
import type { HeadView } from '../desired/head.ts';
import type { PeerRow } from '../store/peers.ts';
import type { NetworkRow } from '../store/vrouters.ts';

const TAG_BYTES = 16;

export function tagOf(value: unknown): string {
  return Buffer.from(sha256(canonicalJson(value)).subarray(0, TAG_BYTES)).toString('base64url');
}

/** Of what PATCH changes; peers, routes and the like have their own. */
export function vrouterTag(view: HeadView, networks: readonly NetworkRow[], key: string): string {
  const { id, endpoint, listenPort, mtu } = view.row;
  const prefixes = networks.map((network) => network.prefix);
  return tagOf([id, endpoint, listenPort, mtu, prefixes, view.body(key) ?? null]);
}

export function peerTag(view: HeadView, row: PeerRow, key: string): string {
  return tagOf([row.createdUnixMs, row.addresses, view.body(key) ?? null]);
}

/** Of one or several intents that are one thing to people. */
export function intentTag(view: HeadView, keys: readonly string[]): string {
  return tagOf(keys.map((key) => [key, view.body(key) ?? null]));
}
