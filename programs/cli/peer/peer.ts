/** `vrouterctl peer ...`: who may connect to a virtual router. */
import { type Peer, type PeerReply, peerList, peerReply } from '@vrouter/api/rest/peers.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { pairs, table } from '@vrouter/core/table.ts';
import { bytesText, whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { pathOf } from '../clients/controller.ts';
import { sessionOf, type World } from '../session.ts';
import { addPeerAdd } from './add.ts';

export function addPeer(program: Command, world: World): void {
  const noun = program
    .command('peer')
    .description('WireGuard peers of a virtual router')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl peer add edge-1 phone --psk --keepalive 25 --out phone.conf\n  vrouterctl peer add edge-1 office --public-key K --allowed-ips 192.168.5.0/24\n  vrouterctl peer list edge-1 --json',
    );
  addPeerAdd(noun, world);

  noun
    .command('remove')
    .description('shut a peer out')
    .argument('<vrouter>')
    .argument('<peer>', 'name or public key')
    .action(async (vrouter: string, peer: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().delete(pathOf`/v1/vrouters/${vrouter}/peers/${peer}`, deletedReply);
      session.show(reply, (data) => `removed ${data.deleted}`);
    });

  noun
    .command('list')
    .description('peers, where they are and when they were heard')
    .argument('<vrouter>')
    .action(async (vrouter: string, _options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const reply = await session.controller().get(pathOf`/v1/vrouters/${vrouter}/peers`, peerList);
      session.show(reply, (data, now) => listText(data.peers, now));
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

function listText(peers: readonly Peer[], nowUnixMs: number): string {
  return table(
    ['PEER', 'PUBLIC KEY', 'ALLOWED IPS', 'ENDPOINT', 'HANDSHAKE', 'RECEIVED', 'SENT'],
    peers.map((row) => [
      row.name,
      row.publicKey,
      row.allowedIps.join(', '),
      row.live?.endpoint ?? row.endpoint,
      whenText(row.live?.lastHandshakeUnixMs ?? null, nowUnixMs),
      row.live === null ? null : bytesText(row.live.rxBytes),
      row.live === null ? null : bytesText(row.live.txBytes),
    ]),
    'there are no peers; admit one with: vrouterctl peer add VROUTER NAME',
  );
}

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
    ['gateway', `${gateway.endpoint}, ${gateway.publicKey ?? 'not joined yet'}`],
  ]);
}
