/** `vrouterctl rotation ...`: other keys for peers, and who has not changed yet. `peer rotate` begins one. */
import {
  type ChangeRotationReply,
  changeRotationReply,
  type Rotation,
  type RotationPeer,
  type RotationWithPeers,
  rotationList,
  rotationReply,
} from '@vrouter/api/rest/rotations.ts';
import { pairs, table } from '@vrouter/core/table.ts';
import { spanText, whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';
import { waitFor } from './wait.ts';

const help = `
Both keys of a peer are good until its device is heard with the new one. Whoever has not changed at the deadline is a straggler: the old
key stays good, until cancel takes the new one back or force ends the old one, which cuts the device off until it has changed.

Examples:
  vrouterctl peer rotate edge-1 --all --out-dir new-keys --pace 20 --deadline 7d
  vrouterctl rotation list edge-1
  vrouterctl rotation show edge-1 ID --wait
  vrouterctl rotation force edge-1 ID old-phone
  vrouterctl rotation cancel edge-1 ID`;

export function addRotation(program: Command, world: World): void {
  const noun = program
    .command('rotation')
    .description('other keys for peers: who has changed, and who has not')
    .addHelpText('after', help);

  noun
    .command('list')
    .description('all rotations, the oldest first')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(
        sessionOf(world, command),
        { ...listing, path: pathOf`/v1/vrouters/${vrouter}/rotations` },
        limit,
      );
    });

  noun
    .command('show')
    .description('one rotation, and how far each of its peers is')
    .argument('<vrouter>')
    .argument('<rotation>', 'id')
    .option('--wait', 'until all have changed or are stragglers; exit status 1 when somebody has not changed')
    .action(async (vrouter: string, id: string, { wait }: { readonly wait?: boolean }, command: Command) => {
      const session = sessionOf(world, command);
      if (wait === true) await waitFor(session, vrouter, id);
      else
        session.show(
          await session.controller().get(pathOf`/v1/vrouters/${vrouter}/rotations/${id}`, rotationReply),
          ({ rotation }, now) => rotationText(rotation, now),
        );
    });

  for (const [verb, description, done] of [
    ['cancel', 'take the new keys back from those that have not changed; their old ones stay good', 'cancelled'],
    ['force', 'end the old keys of those that have not changed, which cuts them off until they have', 'forced'],
  ] as const)
    noun
      .command(verb)
      .description(description)
      .argument('<vrouter>')
      .argument('<rotation>', 'id')
      .argument('[peers...]', 'only these, by name or public key')
      .action(async (vrouter: string, id: string, peers: string[], _options: unknown, command: Command) => {
        const session = sessionOf(world, command);
        const path = `${pathOf`/v1/vrouters/${vrouter}/rotations/${id}`}/${verb}`;
        const reply = await session.controller().post(path, peers.length === 0 ? {} : { peers }, changeRotationReply);
        session.show(reply, (data: ChangeRotationReply, now) => `${done}\n\n${rotationText(data.rotation, now)}`);
      });
}

const listing: Omit<Listing<'rotations', Rotation>, 'path'> = {
  member: 'rotations',
  schema: rotationList,
  heads: ['ROTATION', 'WHAT', 'STATE', 'SWITCHED', 'OPEN', 'STRAGGLERS', 'DEADLINE', 'BEGUN', 'BY'],
  row: (row, nowUnixMs) => [
    row.id,
    row.what,
    row.state,
    row.counts.switched,
    row.counts.waiting + row.counts.offered + row.counts.withdrawing,
    row.counts.straggler,
    spanText(row.deadlineSeconds * 1000),
    whenText(row.createdUnixMs, nowUnixMs),
    row.startedBy,
  ],
  none: 'there are no rotations; begin one with: vrouterctl peer rotate VROUTER --all --out-dir DIR',
};

/** How far it is, peer by peer. */
export function rotationText(rotation: RotationWithPeers, nowUnixMs: number): string {
  const { counts, pace } = rotation;
  const facts = pairs([
    ['rotation', rotation.id],
    ['vrouter', rotation.vrouter],
    ['what', rotation.what],
    ['state', rotation.state],
    ['peers', countsText(counts)],
    ['pace', pace === null ? 'all at once' : `${pace} at a time`],
    [
      'deadline',
      `${spanText(rotation.deadlineSeconds * 1000)} each, then ${rotation.atDeadline === 'keep' ? 'a straggler' : 'cut over'}`,
    ],
    ['begun', `${whenText(rotation.createdUnixMs, nowUnixMs)} by ${rotation.startedBy}`],
  ]);
  const rows = rotation.peers.map((peer) => [
    peer.peer,
    peer.state,
    peer.publicKey,
    peer.nextPublicKey === peer.publicKey ? 'same' : peer.nextPublicKey,
    whenText(peer.switchedUnixMs, nowUnixMs),
    noteOf(peer, nowUnixMs),
  ]);
  return `${facts}\n\n${table(['PEER', 'STATE', 'OLD KEY', 'NEW KEY', 'SWITCHED', 'NOTE'], rows, '')}`;
}

/** `3 switched, 1 straggler`. */
export function countsText(counts: Rotation['counts']): string {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.map(([state, count]) => `${count} ${state}`).join(', ');
}

function noteOf({ reason, effect, state, deadlineUnixMs }: RotationPeer, nowUnixMs: number): string | null {
  if (reason !== null) return reason;
  if (effect === 'interrupt') return 'forced';
  if (state === 'offered' && deadlineUnixMs !== null)
    return `${spanText(Math.max(0, deadlineUnixMs - nowUnixMs))} left`;
  return null;
}
