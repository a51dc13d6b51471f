/** `vrouterctl peer ...`: who may connect to a virtual router. */
import { type Peer, type PeerReply, peerList, peerReply } from '@vrouter/api/rest/peers.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs } from '@vrouter/core/table.ts';
import { bytesText, whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, type Limit, limitOption } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import { type Listing, showPages } from '../clients/pages.ts';
import { sessionOf, type World } from '../session.ts';
import { addPeerAdd } from './add.ts';
import { addPeerRotate } from './rotate.ts';
import { addPeerSet } from './set.ts';

export function addPeer(program: Command, world: World): void {
  const noun = program
    .command('peer')
    .description('WireGuard peers of a virtual router')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl peer add edge-1 phone --psk --keepalive 25 --out phone.conf\n  vrouterctl peer add edge-1 office --public-key K --allowed-ips 192.168.5.0/24\n  vrouterctl peer set edge-1 office --allowed-ips 192.168.5.0/24,192.168.6.0/24\n  vrouterctl peer rotate edge-1 phone > phone.conf\n  vrouterctl peer list edge-1 --json',
    );
  addPeerAdd(noun, world);
  addPeerSet(noun, world);
  addPeerRotate(noun, world);

  noun
    .command('remove')
    .description('shut a peer out')
    .argument('<vrouter>')
    .argument('<peer>', 'name or public key')
    .addOption(ifMatchOption())
    .action(async (vrouter: string, peer: string, { ifMatch }: IfMatch, command: Command) => {
      const session = sessionOf(world, command);
      const path = pathOf`/v1/vrouters/${vrouter}/peers/${peer}`;
      const reply = await session.controller().delete(path, deletedReply, ifMatch);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('peers, where they are and when they were heard')
    .argument('<vrouter>')
    .addOption(limitOption())
    .action(async (vrouter: string, { limit }: Limit, command: Command) => {
      await showPages(sessionOf(world, command), { ...listing, path: pathOf`/v1/vrouters/${vrouter}/peers` }, limit);
    });

  noun
    .command('show')
    .description('one peer')
    .argument('<vrouter>')
    .argument('<peer>', 'name or public key')
    .action(async (vrouter: string, peer: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get(pathOf`/v1/vrouters/${vrouter}/peers/${peer}`, peerReply), peerText);
    });
}

const listing: Omit<Listing<'peers', Peer>, 'path'> = {
  member: 'peers',
  schema: peerList,
  heads: ['PEER', 'PUBLIC KEY', 'ALLOWED IPS', 'ENDPOINT', 'HANDSHAKE', 'RECEIVED', 'SENT'],
  row: ({ name, publicKey, allowedIps, endpoint, live }, nowUnixMs) => [
    name,
    publicKey,
    allowedIps.join(', '),
    live?.endpoint ?? endpoint,
    whenText(live?.lastHandshakeUnixMs ?? null, nowUnixMs),
    live === null ? null : bytesText(live.rxBytes),
    live === null ? null : bytesText(live.txBytes),
  ],
  none: 'there are no peers; admit one with: vrouterctl peer add VROUTER NAME',
};

function peerText({ peer, gateway }: PeerReply, nowUnixMs: number): string {
  const { live } = peer;
  return pairs([
    ['peer', peer.name],
    ['vrouter', peer.vrouter],
    ['public key', peer.publicKey],
    ['preshared key', peer.hasPresharedKey ? 'yes' : 'no'],
    ['addresses', peer.addresses.join(', ')],
    ['allowed IPs', peer.allowedIps.join(', ')],
    ['endpoint', live?.endpoint ?? peer.endpoint],
    ['keepalive', peer.persistentKeepalive === 0 ? 'off' : `${peer.persistentKeepalive} s`],
    ['handshake', whenText(live?.lastHandshakeUnixMs ?? null, nowUnixMs)],
    ['received', live === null ? null : `${bytesText(live.rxBytes)}, ${live.rxPackets} packets`],
    ['sent', live === null ? null : `${bytesText(live.txBytes)}, ${live.txPackets} packets`],
    ['heard of', live === null ? null : whenText(live.heardUnixMs, nowUnixMs)],
    ['created', whenText(peer.createdUnixMs, nowUnixMs)],
    ['etag', peer.etag ?? null],
    ['gateway', `${gateway.endpoint}, ${gateway.publicKey ?? 'not joined yet'}`],
  ]);
}
