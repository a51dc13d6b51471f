/**
 * From JSON that anybody may have sent to requests of the protocol: every field looked at, nothing trusted. Ranges and the insides of
 * texts are the tables' to judge.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { Action, RowId } from './messages.ts';
import { FieldReader } from './reader.ts';
import { type TraceFilter, traceProtocols } from './trace-messages.ts';

/** Actions in one request; more would make an answer that fits no frame. */
export const MAX_ACTIONS = 10_000;
/** NAT sessions, or neighbours, in one answer. */
export const MAX_SESSIONS = 1000;

const verbs = [
  'vrf.set',
  'vrf.remove',
  'link.set',
  'link.remove',
  'wireguard.set',
  'wireguard.remove',
  'peer.set',
  'peer.remove',
  'address.add',
  'address.remove',
  'route.set',
  'route.remove',
  'natSettings.set',
  'natSettings.remove',
  'natPool.set',
  'natPool.remove',
  'masquerade.set',
  'publish.set',
  'floating.set',
  'natRule.remove',
] as const satisfies readonly Action['do'][];
const rowKinds = [
  'vrf',
  'link',
  'wireguard',
  'peer',
  'address',
  'route',
  'natSettings',
  'natPool',
  'natRule',
] as const satisfies readonly RowId['is'][];

/** A request whose actions are still to be parsed one by one: a malformed action is that action's answer, not the request's. */
export type ParsedRequest =
  | { readonly id: number; readonly method: 'apply'; readonly actions: readonly unknown[] }
  | { readonly id: number; readonly method: 'dump'; readonly only?: readonly RowId[] }
  | { readonly id: number; readonly method: 'counters' }
  | { readonly id: number; readonly method: 'natSessions' | 'neighbours'; readonly limit: number }
  | { readonly id: number; readonly method: 'trace'; readonly filter: TraceFilter }
  | { readonly id: number; readonly method: 'capture'; readonly filter: TraceFilter; readonly snapLen: number }
  | { readonly id: number; readonly method: 'cancel'; readonly stream: number }
  | { readonly id: number; readonly method: 'stop' };

/** The id of a request, null when it has none that could be answered. */
export function requestId(value: unknown): number | null {
  const id: unknown = typeof value === 'object' && value !== null && 'id' in value ? value.id : null;
  return typeof id === 'number' && Number.isSafeInteger(id) && id >= 0 ? id : null;
}

/** Error: `input.invalid` with the field. `requestId` must have found an id. */
export function parseRequest(value: unknown): Result<ParsedRequest> {
  const read = new FieldReader(value, '');
  const id = read.number('id');
  const method = read.oneOf('method', [
    'apply',
    'dump',
    'counters',
    'natSessions',
    'neighbours',
    'trace',
    'capture',
    'cancel',
    'stop',
  ] as const);
  switch (method) {
    case 'apply': {
      const actions = read.list('actions');
      if (actions.length > MAX_ACTIONS)
        return err(problem('input.invalid', `at most ${MAX_ACTIONS} actions go into one request`, 'actions'));
      return finish(read, { id, method, actions });
    }
    case 'dump': {
      if (!read.has('only')) return finish(read, { id, method });
      const only: RowId[] = [];
      for (const [i, item] of read.list('only').entries()) {
        const row = parseRowId(item, `only[${i}].`);
        if (!row.ok) return row;
        only.push(row.value);
      }
      return finish(read, { id, method, only });
    }
    case 'natSessions':
    case 'neighbours': {
      const limit = read.number('limit');
      if (!Number.isInteger(limit) || limit < 0 || limit > MAX_SESSIONS)
        return err(problem('input.invalid', `limit is a whole number from 0 to ${MAX_SESSIONS}`, 'limit'));
      return finish(read, { id, method, limit });
    }
    case 'trace': {
      const filter = parseFilter(read.object('filter'));
      return filter.ok ? finish(read, { id, method, filter: filter.value }) : filter;
    }
    case 'capture': {
      const filter = parseFilter(read.object('filter'));
      return filter.ok ? finish(read, { id, method, filter: filter.value, snapLen: read.number('snapLen') }) : filter;
    }
    case 'cancel':
      return finish(read, { id, method, stream: read.number('stream') });
    case 'counters':
    case 'stop':
      return finish(read, { id, method });
  }
}

/** Error: `input.invalid` with the field, relative to the action. */
export function parseAction(value: unknown): Result<Action> {
  const read = new FieldReader(value, '');
  const verb = read.oneOf('do', verbs);
  if (read.problem !== null) return err(read.problem);
  return finish(read, readAction(read, verb));
}

function readAction(read: FieldReader, verb: Action['do']): Action {
  switch (verb) {
    case 'vrf.set':
      return { do: verb, name: read.text('name'), tableId: read.number('tableId') };
    case 'vrf.remove':
    case 'link.remove':
    case 'natPool.remove':
    case 'natRule.remove':
      return { do: verb, name: read.text('name') };
    case 'link.set':
      return {
        do: verb,
        name: read.text('name'),
        type: read.oneOf('type', ['wireguard', 'tun', 'port', 'tap'] as const),
        vrf: read.text('vrf'),
        mtu: read.number('mtu'),
        adminUp: read.boolean('adminUp'),
        ...(read.has('hostAddresses') ? { hostAddresses: read.textList('hostAddresses') } : {}),
        ...(read.has('hostRoutes') ? { hostRoutes: read.textList('hostRoutes') } : {}),
        ...(read.has('device') ? { device: read.text('device') } : {}),
        ...(read.has('mac') ? { mac: read.textOrNull('mac') } : {}),
        ...(read.has('vlanId') ? { vlanId: read.isNull('vlanId') ? null : read.number('vlanId') } : {}),
        ...(read.has('mssClamp') ? { mssClamp: read.boolean('mssClamp') } : {}),
        ...(read.has('sourceCheck')
          ? { sourceCheck: read.oneOf('sourceCheck', ['off', 'loose', 'strict'] as const) }
          : {}),
      };
    case 'wireguard.set':
      return {
        do: verb,
        link: read.text('link'),
        listenPort: read.number('listenPort'),
        ...(read.has('privateKey') ? { privateKey: read.text('privateKey') } : {}),
      };
    case 'wireguard.remove':
      return { do: verb, link: read.text('link') };
    case 'peer.set':
      return {
        do: verb,
        link: read.text('link'),
        publicKey: read.text('publicKey'),
        ...(read.has('presharedKey') ? { presharedKey: read.textOrNull('presharedKey') } : {}),
        allowedIps: read.textList('allowedIps'),
        ...(read.has('endpoint') ? { endpoint: read.textOrNull('endpoint') } : {}),
        ...(read.has('moved') ? { moved: read.boolean('moved') } : {}),
        ...(read.has('handshakeTimestamp') ? { handshakeTimestamp: read.textOrNull('handshakeTimestamp') } : {}),
        persistentKeepalive: read.number('persistentKeepalive'),
      };
    case 'peer.remove':
      return { do: verb, link: read.text('link'), publicKey: read.text('publicKey') };
    case 'address.add':
    case 'address.remove':
      return { do: verb, link: read.text('link'), address: read.text('address') };
    case 'route.set':
      return {
        do: verb,
        vrf: read.text('vrf'),
        prefix: read.text('prefix'),
        link: read.textOrNull('link'),
        nextHop: read.textOrNull('nextHop'),
      };
    case 'route.remove':
      return { do: verb, vrf: read.text('vrf'), prefix: read.text('prefix') };
    case 'natSettings.set':
      return {
        do: verb,
        sessions: read.number('sessions'),
        sessionsPerHost: read.number('sessionsPerHost'),
        udpSeconds: read.number('udpSeconds'),
        udpOneWaySeconds: read.number('udpOneWaySeconds'),
        tcpEstablishedSeconds: read.number('tcpEstablishedSeconds'),
        tcpTransitorySeconds: read.number('tcpTransitorySeconds'),
        icmpSeconds: read.number('icmpSeconds'),
      };
    case 'natSettings.remove':
      return { do: verb };
    case 'natPool.set':
      return {
        do: verb,
        name: read.text('name'),
        addresses: read.textList('addresses'),
        firstPort: read.number('firstPort'),
        lastPort: read.number('lastPort'),
      };
    case 'masquerade.set':
      return {
        do: verb,
        name: read.text('name'),
        vrf: read.text('vrf'),
        prefix: read.text('prefix'),
        leaving: read.isNull('leaving') ? null : read.textList('leaving'),
        pool: read.textOrNull('pool'),
        hairpin: read.boolean('hairpin'),
      };
    case 'floating.set':
      return {
        do: verb,
        name: read.text('name'),
        vrf: read.text('vrf'),
        address: read.text('address'),
        toAddress: read.text('toAddress'),
      };
    case 'publish.set':
      return {
        do: verb,
        name: read.text('name'),
        vrf: read.text('vrf'),
        protocol: read.oneOf('protocol', ['tcp', 'udp'] as const),
        address: read.textOrNull('address'),
        firstPort: read.number('firstPort'),
        lastPort: read.number('lastPort'),
        toAddress: read.text('toAddress'),
        toPort: read.number('toPort'),
        hairpin: read.boolean('hairpin'),
      };
  }
}

function parseFilter(value: unknown): Result<TraceFilter> {
  const read = new FieldReader(value, 'filter.');
  return finish(read, {
    ...(read.has('link') ? { link: read.text('link') } : {}),
    ...(read.has('peer') ? { peer: read.text('peer') } : {}),
    ...(read.has('source') ? { source: read.text('source') } : {}),
    ...(read.has('destination') ? { destination: read.text('destination') } : {}),
    ...(read.has('protocol') ? { protocol: read.oneOf('protocol', traceProtocols) } : {}),
    ...(read.has('port') ? { port: read.number('port') } : {}),
    ...(read.has('drops') ? { drops: read.boolean('drops') } : {}),
    ...(read.has('count') ? { count: read.number('count') } : {}),
    ...(read.has('seconds') ? { seconds: read.number('seconds') } : {}),
  });
}

function parseRowId(value: unknown, path: string): Result<RowId> {
  const read = new FieldReader(value, path);
  const is = read.oneOf('is', rowKinds);
  switch (is) {
    case 'vrf':
    case 'link':
    case 'natPool':
    case 'natRule':
      return finish(read, { is, name: read.text('name') });
    case 'natSettings':
      return finish(read, { is });
    case 'wireguard':
      return finish(read, { is, link: read.text('link') });
    case 'peer':
      return finish(read, { is, link: read.text('link'), publicKey: read.text('publicKey') });
    case 'address':
      return finish(read, { is, link: read.text('link'), address: read.text('address') });
    case 'route':
      return finish(read, { is, vrf: read.text('vrf'), prefix: read.text('prefix') });
  }
}

function finish<T>(read: FieldReader, value: T): Result<T> {
  const wrong = read.finish();
  return wrong === null ? ok(value) : err(wrong);
}

/** What a peer hears whose message has no id to answer. */
export function noId(): Problem {
  return problem('engine.protocol', 'a request needs an id: a whole number from 0', 'id');
}
