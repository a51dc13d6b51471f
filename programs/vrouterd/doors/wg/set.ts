/** `set=1` from end to end: judged, said and stored as a whole, and answered when the loop has tried it. */
import { intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import { Errno } from '@vrouter/wire/uapi/errno.ts';
import type { UapiSet } from '@vrouter/wire/uapi/operation.ts';
import { changeOf, type WgChange } from './change.ts';
import { commitPeers } from './commit.ts';
import { peerIntentKey, peerObjectKey, SOURCE, type WgDaemon, wgFacts, wgIntent } from './view.ts';

/** How long a client waits for the plane, ms. What was said stays said. */
const TRY_MS = 10_000;

/**
 * `EPERM`, `EBUSY`, `EINVAL`, `EOPNOTSUPP`: refused, nothing has changed. `EIO`, `ETIMEDOUT`: it is said and stored, but the plane has
 * refused a part of it, or was not there to try; the loop goes on trying.
 */
export async function setDevice(daemon: WgDaemon, link: string, set: UapiSet, tryMs = TRY_MS): Promise<Errno> {
  const facts = wgFacts(daemon, link);
  if (facts === null) return Errno.io;
  const outcome = changeOf(set, facts);
  if (!outcome.ok) return outcome.errno;
  const { put, remove, moved } = outcome.change;
  const discard = outcome.change.discard.map((publicKey) => peerIntentKey(link, publicKey));
  if (put.length + remove.length + discard.length + moved.length === 0) return Errno.none;
  const gone = remove.map((publicKey) => facts.own.get(publicKey)!);
  const wrong = commitPeers(daemon.desired, daemon.store, SOURCE, { put, gone, discard });
  if (wrong !== null) return errnoOf(wrong.code);
  for (const key of [...discard, ...put.map(intentKey)]) daemon.badIntents.delete(SOURCE, key);
  for (const publicKey of moved) daemon.move(link, publicKey, wgIntent(daemon, link, publicKey)!.endpoint!);
  daemon.reconciler.kick();
  if (!(await daemon.reconciler.settled(tryMs))) return Errno.timedOut;
  const touched = touchedBy(daemon, link, outcome.change);
  return daemon.reconciler.failing().some(({ key }) => touched.has(key)) ? Errno.io : Errno.none;
}

function errnoOf(code: string): Errno {
  if (code === 'intent.conflict') return Errno.busy;
  return code === 'data.unwritable' ? Errno.io : Errno.inval;
}

function touchedBy(daemon: WgDaemon, link: string, change: WgChange): ReadonlySet<ObjectKey> {
  const on = daemon.desired.desired(`link/${link}` as ObjectKey);
  const vrf = on?.kind === 'link' ? on.vrf : 'default';
  const touched = new Set<ObjectKey>();
  for (const publicKey of [...change.remove, ...change.moved]) touched.add(peerObjectKey(link, publicKey));
  for (const { publicKey, allowedIps } of change.put) {
    touched.add(peerObjectKey(link, publicKey));
    for (const prefix of allowedIps) touched.add(`route/${vrf}/${prefix}` as ObjectKey);
  }
  return touched;
}
