/**
 * `vrouterctl peer rotate`: makes new keys here, leaves a file for each device, and lets the controller offer them. The files are on the
 * disk before the controller hears of the keys: one that it waits for is never lost.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, type PeerReply, peerList, peerReply } from '@vrouter/api/rest/peers.ts';
import {
  type ChangeRotationReply,
  changeRotationReply,
  ROTATION_PEERS_MAX,
  type RotationWhat,
  type StartRotationRequest,
} from '@vrouter/api/rest/rotations.ts';
import { newKeyPair, newPresharedKey } from '@vrouter/api/wireguard/keys.ts';
import { wgQuickText } from '@vrouter/api/wireguard/wg-quick.ts';
import { parseName } from '@vrouter/core/names.ts';
import { plain } from '@vrouter/core/table.ts';
import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import { type Controller, pathOf } from '../clients/controller.ts';
import type { Reply } from '../clients/reply.ts';
import { Failure } from '../failure.ts';
import { parseSpan } from '../history/history.ts';
import { rotationText } from '../rotation/rotation.ts';
import { waitFor } from '../rotation/wait.ts';
import { type Session, sessionOf, type World } from '../session.ts';

interface RotateOptions {
  readonly all?: boolean;
  readonly only?: 'key' | 'psk';
  readonly publicKey?: string;
  readonly outDir?: string;
  readonly keepalive?: number;
  readonly pace?: number;
  readonly deadline?: number;
  readonly force?: boolean;
  readonly wait?: boolean;
}

/** A peer with its new keys, and what its device needs of them. */
interface Turn {
  readonly peer: Peer;
  readonly row: StartRotationRequest['peers'][number];
  /** Null: its device has them already. */
  readonly config: string | null;
}

const help = `
The old key is good until the device is heard with the new one; then it is gone. Nobody is cut off who changes before the deadline, and
without --force nobody at all. A preshared key alone (--only psk) is good for the next handshake, within two minutes.

Examples:
  vrouterctl peer rotate edge-1 phone > phone.conf
  vrouterctl peer rotate edge-1 --all --out-dir new-keys --pace 20 --deadline 7d
  vrouterctl peer rotate edge-1 office --only key --public-key K --wait`;

export function addPeerRotate(noun: Command, world: World): void {
  noun
    .command('rotate')
    .description('give peers new keys, with both good until their devices have changed')
    .argument('<vrouter>')
    .argument('[peers...]', 'names or public keys')
    .option('--all', 'every peer of the vrouter')
    .addOption(
      new Option('--only <what>', 'leave the other as it is; default: key and preshared key').choices(['key', 'psk']),
    )
    .option('--public-key <key>', 'the new key of one peer whose device has made it itself; with --only key')
    .option(
      '--out-dir <dir>',
      'write a wg-quick file for each peer there, mode 0600; a single one is printed otherwise',
    )
    .option('--keepalive <seconds>', "the device's own keepalives; default: as the gateway's", whole(0, 65_535))
    .option('--pace <peers>', 'wait for so many at a time; default: all at once', whole(1, ROTATION_PEERS_MAX))
    .option('--deadline <span>', 'how long each has to change: 90m, 24h, 7d', parseSpan)
    .option('--force', 'cut those over that have not changed by then, instead of showing them as stragglers')
    .option('--wait', 'until all have changed or are stragglers; exit status 1 when somebody has not changed')
    .addHelpText('after', help)
    .action(async (vrouter: string, peers: string[], options: RotateOptions, command: Command) => {
      await rotate(sessionOf(world, command), vrouter, peers, options);
    });
}

async function rotate(
  session: Session,
  vrouter: string,
  names: readonly string[],
  options: RotateOptions,
): Promise<void> {
  const { all, only, publicKey, outDir, pace, deadline, force } = options;
  if ((all === true) === names.length > 0) throw new Failure('usage', 'name the peers, or say --all; not both');
  if (publicKey !== undefined && (names.length !== 1 || only !== 'key'))
    throw new Failure('usage', '--public-key is for one peer, with --only key', '--public-key');
  if (publicKey === undefined && outDir === undefined && names.length !== 1)
    throw new Failure('usage', 'the new keys of several peers go into files: say --out-dir DIR', '--out-dir');
  const controller = session.controller();
  const found =
    all === true
      ? await everyPeer(controller, vrouter)
      : await Promise.all(names.map((name) => peerOf(controller, vrouter, name)));
  const turns: Turn[] = [];
  for (const reply of found) turns.push(await turnOf(reply, only ?? 'key+psk', publicKey ?? null, options.keepalive));
  const request: StartRotationRequest = {
    what: only ?? 'key+psk',
    peers: turns.map(({ row }) => row),
    ...(pace === undefined ? {} : { pace }),
    ...(deadline === undefined ? {} : { deadlineSeconds: Math.round(deadline / 1000) }),
    ...(force === true ? { atDeadline: 'cutOver' as const } : {}),
  };
  const files = outDir === undefined ? [] : writeFiles(outDir, turns, only ?? 'key+psk');
  const reply = await start(controller, vrouter, request, files);
  report(session, reply, files, outDir === undefined ? (turns[0]?.config ?? null) : null);
  if (options.wait === true) await waitFor(session, vrouter, reply.data.rotation.id);
}

async function peerOf(controller: Controller, vrouter: string, name: string): Promise<PeerReply> {
  return (await controller.get(pathOf`/v1/vrouters/${vrouter}/peers/${name}`, peerReply)).data;
}

async function everyPeer(controller: Controller, vrouter: string): Promise<PeerReply[]> {
  const peers: Peer[] = [];
  for (let cursor: string | null = null; ; ) {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { data } = await controller.get(`${pathOf`/v1/vrouters/${vrouter}/peers`}?limit=1000${query}`, peerList);
    peers.push(...data.peers);
    cursor = data.next ?? null;
    if (cursor === null) break;
  }
  const [first] = peers;
  if (first === undefined) throw new Failure('peer.notFound', `${vrouter} has no peers`);
  if (peers.length > ROTATION_PEERS_MAX)
    throw new Failure(
      'usage',
      `${vrouter} has ${peers.length} peers, a rotation at most ${ROTATION_PEERS_MAX}: name them`,
    );
  // What a device needs to know of the gateway is the same for all.
  const { gateway } = await peerOf(controller, vrouter, first.name);
  return peers.map((peer) => ({ peer, gateway }));
}

async function turnOf(
  { peer, gateway }: PeerReply,
  what: RotationWhat,
  publicKey: string | null,
  keepalive: number | undefined,
): Promise<Turn> {
  const pair = what === 'psk' || publicKey !== null ? null : await newKeyPair();
  const presharedKey = what === 'key' ? null : newPresharedKey();
  const next = pair?.publicKey ?? publicKey;
  const row = {
    peer: peer.name,
    ...(next === null ? {} : { publicKey: next }),
    ...(presharedKey === null ? {} : { presharedKey }),
  };
  if (what === 'psk') return { peer, row, config: `PresharedKey = ${presharedKey}\n` };
  if (pair === null) return { peer, row, config: null };
  if (gateway.publicKey === null)
    throw new Failure(
      'intent.reference',
      `no gateway has joined ${peer.vrouter} yet, so its public key is not known; it must be in the files`,
    );
  const secrets = { privateKey: pair.privateKey, presharedKey };
  const changed = { gateway, peer: { ...peer, publicKey: pair.publicKey } };
  return { peer, row, config: wgQuickText(changed, secrets, keepalive ?? peer.persistentKeepalive) };
}

/** Failure `data.unwritable`; then there is none of them. */
function writeFiles(folder: string, turns: readonly Turn[], what: RotationWhat): string[] {
  const written: string[] = [];
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const { peer, config } of turns) {
      // Whatever a controller calls a peer: no name leads out of the folder.
      if (!parseName(peer.name).ok) throw new Failure('name.invalid', `"${plain(peer.name)}" is no name of a peer`);
      const path = join(folder, `${peer.name}.${what === 'psk' ? 'psk' : 'conf'}`);
      const fd = openSync(path, 'wx', 0o600);
      written.push(path);
      writeSync(fd, config ?? '');
      fsyncSync(fd);
      closeSync(fd);
    }
    return written;
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    if (error instanceof Failure) throw error;
    const { code, path } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'it exists already; remove it or choose another folder' : String(code);
    throw new Failure('data.unwritable', `cannot make ${path ?? folder}: ${why}`, '--out-dir');
  }
}

async function start(
  controller: Controller,
  vrouter: string,
  request: StartRotationRequest,
  files: readonly string[],
): Promise<Reply<ChangeRotationReply>> {
  try {
    return await controller.create(pathOf`/v1/vrouters/${vrouter}/rotations`, request, changeRotationReply);
  } catch (error) {
    // Nobody knows whether one that does not answer has begun: the keys are kept.
    const isLost = error instanceof Failure && (error.code === 'controller.unreachable' || error.code === 'timeout');
    if (!isLost) for (const path of files) rmSync(path, { force: true });
    throw error;
  }
}

/** Keys that went into no file are shown, once. */
function report(
  session: Session,
  reply: Reply<ChangeRotationReply>,
  files: readonly string[],
  shown: string | null,
): void {
  const { world } = session;
  if (session.json) {
    const raw = reply.raw as { readonly [name: string]: unknown };
    const more = { ...(shown === null ? {} : { config: shown }), ...(files.length === 0 ? {} : { files }) };
    world.out(JSON.stringify({ ...raw, ...more }, null, 2));
    return;
  }
  const text = rotationText(reply.data.rotation, world.nowUnixMs());
  if (shown === null) world.out(files.length === 0 ? text : `${text}\n\n${files.length} files written`);
  else {
    world.note(text);
    world.note('what the device needs follows on standard output; its keys are shown this once:');
    world.out(shown.trimEnd());
  }
}
