/** Objects and the engine's words for them, both ways. The engine never hears of an intent, and we never hear a key back. */
import { Secret, type SecretFingerprint } from '@vrouter/core/secret.ts';
import type { Action, DumpRow, RowId } from '@vrouter/engine/control/messages.ts';
import {
  type Learned,
  type ObjectKey,
  type Observed,
  objectKey,
  type PlaneObject,
} from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { natObserved, natRuleAction } from './nat.ts';
import { type EngineObject, engineObject } from './served.ts';

/** The action that does a step. A create says everything; an update leaves out what the engine keeps by itself. */
export function actionOf(step: Step): Action {
  if (step.op === 'delete') return removalOf(engineObject(step.before));
  const changed = step.op === 'update' ? new Set(step.changed) : null;
  return settingOf(engineObject(step.object), (field) => changed === null || changed.has(field), changed === null);
}

function settingOf(object: EngineObject, says: (field: string) => boolean, isNew: boolean): Action {
  switch (object.kind) {
    case 'vrf':
      return { do: 'vrf.set', name: object.name, tableId: object.tableId };
    case 'link': {
      const { kind: _, ...link } = object;
      return { do: 'link.set', ...link };
    }
    case 'wireguardDevice': {
      const { link, listenPort } = object;
      const action = { do: 'wireguard.set', link, listenPort } as const;
      return says('privateKey') ? { ...action, privateKey: reveal(object.privateKey) } : action;
    }
    case 'wireguardPeer': {
      const { link, publicKey, allowedIps, persistentKeepalive } = object;
      return {
        do: 'peer.set',
        link,
        publicKey,
        allowedIps,
        persistentKeepalive,
        ...(says('presharedKey')
          ? { presharedKey: object.presharedKey === null ? null : reveal(object.presharedKey) }
          : {}),
        ...(isNew && object.handshakeTimestamp ? { handshakeTimestamp: object.handshakeTimestamp } : {}),
        ...(says('endpoint') ? { endpoint: object.endpoint, ...(isNew ? {} : { moved: true }) } : {}),
      };
    }
    case 'address':
      return { do: 'address.add', link: object.link, address: object.address };
    case 'route': {
      const { vrf, prefix, via } = object;
      const out = via.type === 'link' ? { link: via.link, nextHop: via.nextHop } : { link: null, nextHop: null };
      return { do: 'route.set', vrf, prefix, ...out };
    }
    case 'natSettings': {
      const { kind: _, name: __, ...settings } = object;
      return { do: 'natSettings.set', ...settings };
    }
    case 'natPool': {
      const [firstPort, lastPort] = object.ports;
      return { do: 'natPool.set', name: object.name, addresses: object.addresses, firstPort, lastPort };
    }
    case 'natRule':
      return natRuleAction(object);
  }
}

function removalOf(object: EngineObject): Action {
  switch (object.kind) {
    case 'vrf':
      return { do: 'vrf.remove', name: object.name };
    case 'link':
      return { do: 'link.remove', name: object.name };
    case 'wireguardDevice':
      return { do: 'wireguard.remove', link: object.link };
    case 'wireguardPeer':
      return { do: 'peer.remove', link: object.link, publicKey: object.publicKey };
    case 'address':
      return { do: 'address.remove', link: object.link, address: object.address };
    case 'route':
      return { do: 'route.remove', vrf: object.vrf, prefix: object.prefix };
    case 'natSettings':
      return { do: 'natSettings.remove' };
    case 'natPool':
    case 'natRule':
      return { do: `${object.kind}.remove`, name: object.name };
  }
}

function reveal(secret: Secret | SecretFingerprint): string {
  if (secret instanceof Secret) return secret.reveal().toBase64();
  throw new TypeError('a step carries a fingerprint where the key itself is needed');
}

/** An engine's row as the object that it is. */
export function observedOf(row: DumpRow): Observed {
  const [object, learned] = split(row);
  return { key: objectKey(object), object, learned };
}

function split(row: DumpRow): [PlaneObject, Learned] {
  switch (row.is) {
    case 'vrf':
      return [{ kind: 'vrf', name: row.name, tableId: row.tableId }, {}];
    case 'link': {
      const { is: _, index, operUp, superPackets = null, ...link } = row;
      return [
        { kind: 'link', ...link },
        { index, operUp, mac: null, superPackets },
      ];
    }
    case 'wireguard': {
      const { link, listenPort, localPort, publicKey } = row;
      const privateKey = { fingerprint: row.privateKeyFingerprint };
      return [
        { kind: 'wireguardDevice', link, listenPort, privateKey },
        { localPort, publicKey },
      ];
    }
    case 'peer': {
      const { link, publicKey, allowedIps, endpoint, persistentKeepalive } = row;
      const { handshakeTimestamp, lastHandshakeUnixMs, pathMtu, rxBytes, txBytes, rxPackets, txPackets } = row;
      const presharedKey = row.presharedKeyFingerprint === null ? null : { fingerprint: row.presharedKeyFingerprint };
      return [
        { kind: 'wireguardPeer', link, publicKey, presharedKey, allowedIps, endpoint, persistentKeepalive },
        { endpoint, handshakeTimestamp, lastHandshakeUnixMs, pathMtu, rxBytes, txBytes, rxPackets, txPackets },
      ];
    }
    case 'address':
      return [{ kind: 'address', link: row.link, address: row.address }, {}];
    case 'route': {
      const { vrf, prefix, link, nextHop } = row;
      const via = link === null ? ({ type: 'blackhole' } as const) : ({ type: 'link', link, nextHop } as const);
      return [{ kind: 'route', vrf, prefix, via }, {}];
    }
    case 'natSettings': {
      const { is: _, ...settings } = row;
      return [{ kind: 'natSettings', name: 'default', ...settings }, {}];
    }
    case 'natPool':
    case 'masquerade':
    case 'publish':
    case 'floating':
      return natObserved(row);
  }
}

/** The engine's name of the row under a key; null for a key of a kind that it does not have. */
export function rowIdOf(key: ObjectKey): RowId | null {
  const slash = key.indexOf('/');
  const kind = key.slice(0, slash);
  const rest = key.slice(slash + 1);
  const cut = rest.indexOf('/');
  const [first, second] = [rest.slice(0, cut), rest.slice(cut + 1)];
  switch (kind) {
    case 'vrf':
    case 'link':
    case 'natPool':
    case 'natRule':
      return { is: kind, name: rest };
    case 'natSettings':
      return { is: kind };
    case 'wireguardDevice':
      return { is: 'wireguard', link: rest };
    case 'wireguardPeer':
      return { is: 'peer', link: first, publicKey: second };
    case 'address':
      return { is: 'address', link: first, address: second };
    case 'route':
      return { is: 'route', vrf: first, prefix: second };
    default:
      return null;
  }
}
