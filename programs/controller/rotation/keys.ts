/** Whose a key is: of one peer at most, now or next. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Desk } from '../desk/desk.ts';
import { peerByKey } from '../store/peers.ts';
import { openRotationTo } from '../store/rotations.ts';
import type { Reader } from '../store/schema.ts';

/** Nobody has the key, and nobody is to have it. Throws `peer.exists`. */
export async function notTakenKey(
  db: Reader,
  desk: Pick<Desk, 'roster'>,
  vrouterId: string,
  publicKey: string,
  field: string,
): Promise<void> {
  const holder = await peerByKey(db, vrouterId, publicKey);
  if (holder !== undefined) throw taken(`this key is that of peer "${holder.name}"; remove it first`, field);
  const next = await openRotationTo(db, vrouterId, publicKey);
  if (next !== undefined) throw taken(`this key is to be that of peer "${next.peer}"; make another`, field);
  if (desk.roster.of(vrouterId)?.row.wireguardPublicKey === publicKey)
    throw taken("this is the gateway's own key; a peer has a key of its own", field);
}

function taken(message: string, field: string): ProblemError {
  return new ProblemError(problem('peer.exists', message, field));
}
