/** Waits until nobody of a rotation is waited for any more, and tells how far it is meanwhile. */
import { setTimeout as delay } from 'node:timers/promises';
import { rotationReply } from '@vrouter/api/rest/rotations.ts';
import { pathOf } from '../clients/controller.ts';
import { Failure } from '../failure.ts';
import type { Session } from '../session.ts';
import { countsText, rotationText } from './rotation.ts';

const LOOK_MS = 1000;

/** Shows the rotation at its end. Failure `rotation.open` when somebody has not changed. */
export async function waitFor(session: Session, vrouter: string, id: string): Promise<void> {
  const path = pathOf`/v1/vrouters/${vrouter}/rotations/${id}`;
  for (let told = ''; ; await delay(LOOK_MS)) {
    const reply = await session.controller().get(path, rotationReply);
    const { counts, state, peers } = reply.data.rotation;
    const text = countsText(counts);
    if (text !== told) session.world.note(text);
    told = text;
    if (state === 'running') continue;
    session.show(reply, ({ rotation }, now) => rotationText(rotation, now));
    const left = peers.length - counts.switched;
    if (left === 0) return;
    throw new Failure('rotation.open', `${left} of ${peers.length} peers have not changed: ${text}`);
  }
}
