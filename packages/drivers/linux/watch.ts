/**
 * What others do to the kernel's tables, as it tells of it: keys to look at again, or all of them where it tells of less than what is gone.
 * Our own changes are known by the number of the socket that asked for them, and passed over.
 */
import { ProblemError } from '@vrouter/core/problem.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import type { Change } from '../contract/driver.ts';
import type { Addresses } from './forwarding/addresses.ts';
import type { Routes } from './forwarding/routes.ts';
import type { Kernel } from './kernel.ts';
import { parseAddress } from './netlink/address.ts';
import { type Message, messagesOf } from './netlink/answers.ts';
import { type LinkRow, parseLink } from './netlink/link.ts';
import { MessageFlag, MessageType } from './netlink/message.ts';
import { readNews } from './netlink/nftables/news.ts';
import type { NetlinkSocket } from './netlink/requests.ts';
import { parseRoute } from './netlink/route.ts';
import { TABLE } from './nftables/shape.ts';
import type { Switches } from './switches/switches.ts';

/** rtnetlink.h: RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. */
export const ROUTING_GROUPS = [1, 5, 7, 9, 11] as const;
/** They go with a link's addresses, or while it is down. */
const GO_IN_SILENCE = ['address', 'route', 'neighbour'] as const;
/** Between two looks at switches, of which the kernel says nothing, ms. */
const SWITCHES_MS = 1000;

export interface NewsSocket extends NetlinkSocket {
  onReadable(callback: () => void): void;
  close(): void;
}

export interface Watched {
  readonly kernel: Kernel;
  readonly addresses: Addresses;
  readonly routes: Routes;
  readonly switches: Pick<Switches, 'turned'>;
  /** Whether news are of what we ourselves have asked for. */
  isOwn(port: number): boolean;
}

/** Sockets of our own for news: of the groups `ROUTING_GROUPS`, and of NFNLGRP_NFTABLES. */
export interface NewsSockets {
  readonly routing: NewsSocket;
  readonly nftables: NewsSocket;
}

/** News until the signal aborts; the sockets are closed at the end. */
export async function* watchKernel(
  watched: Watched,
  sockets: NewsSockets,
  signal: AbortSignal,
): AsyncGenerator<Change> {
  let readable = Promise.withResolvers<void>();
  const wake = (): void => readable.resolve();
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  for (const socket of [sockets.routing, sockets.nftables]) socket.onReadable(wake);
  const silent = new Set<string>();
  watched.kernel.onSilence((link) => {
    silent.add(link);
    wake();
  });
  let turned: readonly ObjectKey[] = [];
  const looking = setInterval(() => {
    turned = watched.switches.turned();
    if (turned.length > 0) wake();
  }, SWITCHES_MS).unref();
  try {
    for (;;) {
      await readable.promise;
      if (signal.aborted) return;
      readable = Promise.withResolvers<void>();
      const change = drain(watched, sockets, silent);
      if (change !== null) yield change;
      for (const link of silent) {
        silent.delete(link);
        yield { kind: 'below', key: `link/${link}` as ObjectKey, kinds: GO_IN_SILENCE };
      }
      if (turned.length > 0) yield { kind: 'keys', keys: turned };
      turned = [];
    }
  } finally {
    clearInterval(looking);
    signal.removeEventListener('abort', wake);
    for (const socket of [sockets.routing, sockets.nftables]) socket.close();
  }
}

/** All that waits, as one change; null: nothing of ours. Adds to `silent` the links with which more has gone than is told. */
function drain(watched: Watched, { routing, nftables }: NewsSockets, silent: Set<string>): Change | null {
  const keys = new Set<ObjectKey>();
  let all = readAll(routing, (datagram) => {
    let gone: string | null = null;
    for (const message of messagesOf(datagram))
      if (!watched.isOwn(message.port)) gone = newsOf(watched, message, keys, silent) ?? gone;
    return gone;
  });
  all ??= readAll(nftables, (datagram) => {
    const { touchedBy } = readNews(datagram, TABLE);
    return [...touchedBy].every((port) => watched.isOwn(port))
      ? null
      : `somebody has changed the table ${TABLE} of nftables`;
  });
  if (all !== null) return { kind: 'all', reason: all };
  return keys.size === 0 ? null : { kind: 'keys', keys: [...keys] };
}

/** Everything that waits; the last text that `read` gives, or why something is lost. */
function readAll(socket: NewsSocket, read: (datagram: Uint8Array) => string | null): string | null {
  let all: string | null = null;
  for (;;) {
    try {
      const datagram = socket.receive();
      if (datagram === null) return all;
      all = read(datagram) ?? all;
    } catch (thrown) {
      if (!(thrown instanceof ProblemError)) throw thrown;
      all = thrown.message;
    }
  }
}

/** Adds the keys that a message is about; a text when more is gone than can be named. */
function newsOf(watched: Watched, message: Message, keys: Set<ObjectKey>, silent: Set<string>): string | null {
  switch (message.type) {
    case MessageType.newLink:
    case MessageType.deleteLink: {
      const row = parseLink(message);
      const gone = message.type === MessageType.deleteLink;
      return row === null ? null : linkNews(watched.kernel, row, gone, keys, silent);
    }
    case MessageType.newAddress:
    case MessageType.deleteAddress: {
      const row = parseAddress(message);
      const key = row === null ? null : watched.addresses.keyOf(row);
      if (key === null || row === null) return null;
      keys.add(key);
      // With a device's last address of IPv4 go its routes, in silence.
      const link = watched.kernel.links.at(row.link);
      const name = link === undefined ? null : watched.kernel.links.nameOf(link);
      if (message.type === MessageType.deleteAddress && row.address.address.length === 4 && name !== null)
        silent.add(name);
      return null;
    }
    case MessageType.newRoute:
    case MessageType.deleteRoute: {
      const row = parseRoute(message);
      const replaced = (message.flags & MessageFlag.replace) !== 0;
      const key = row === null ? null : watched.routes.heard(row, message.type === MessageType.deleteRoute, replaced);
      if (key !== null) keys.add(key);
      return null;
    }
    default:
      return null;
  }
}

function linkNews(
  { links }: Kernel,
  row: LinkRow,
  gone: boolean,
  keys: Set<ObjectKey>,
  silent: Set<string>,
): string | null {
  if (links.isLeaving(row.index)) {
    if (gone) links.left(row.index);
    return null;
  }
  const before = links.at(row.index);
  const nameBefore = before === undefined ? null : links.nameOf(before);
  if (gone) links.remove(row.index);
  else links.put(row);
  const name = links.nameOf(row) ?? nameBefore;
  if (name === null) return null;
  // Of what stood on it the kernel tells only in part: IPv4 routes and WireGuard peers go in silence.
  if (gone) return `somebody has taken ${row.name} away`;
  if (before?.up === true && !row.up) silent.add(name);
  if (before === undefined || !looksSame(before, row))
    keys.add(`${row.kind === 'vrf' ? 'vrf' : 'link'}/${name}` as ObjectKey);
  return null;
}

/** As far as objects say it. */
function looksSame(a: LinkRow, b: LinkRow): boolean {
  return (
    a.name === b.name &&
    a.mtu === b.mtu &&
    a.up === b.up &&
    a.carrier === b.carrier &&
    a.master === b.master &&
    a.alias === b.alias &&
    Buffer.compare(a.mac, b.mac) === 0
  );
}
