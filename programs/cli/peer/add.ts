/** `vrouterctl peer add`: makes the keys here, asks the controller for addresses, and leaves a file that wg-quick takes as it is. */
import { type CreatePeerReply, type CreatePeerRequest, createPeerReply } from '@vrouter/api/rest/peers.ts';
import { vrouter as vrouterSchema } from '@vrouter/api/rest/vrouters.ts';
import { newKeyPair, newPresharedKey } from '@vrouter/api/wireguard/keys.ts';
import { type PeerSecrets, wgQuickText } from '@vrouter/api/wireguard/wg-quick.ts';
import { pairs } from '@vrouter/core/table.ts';
import type { Command } from 'commander';
import { list, whole } from '../arguments.ts';
import { type Controller, pathOf } from '../clients/controller.ts';
import type { Reply } from '../clients/reply.ts';
import { Failure } from '../failure.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { reserveSecretFile, type SecretFile } from './secret-file.ts';

interface AddOptions {
  readonly publicKey?: string;
  readonly allowedIps?: readonly string[];
  readonly endpoint?: string;
  readonly psk?: boolean;
  readonly keepalive?: number;
  readonly out?: string;
}

export function addPeerAdd(noun: Command, world: World): void {
  noun
    .command('add')
    .description('admit a peer; without --public-key its key pair is made here and its wg-quick file printed')
    .argument('<vrouter>')
    .argument('<name>')
    .option('--public-key <key>', "the peer's own key, when it has one")
    .option('--allowed-ips <cidr>', 'networks behind the peer; may be repeated', list)
    .option('--endpoint <ip:port>', 'where the gateway reaches the peer before it has been heard')
    .option('--psk', 'a preshared key, made here')
    .option('--keepalive <seconds>', 'keepalives, both ways', whole(0, 65_535))
    .option('--out <file>', 'write the wg-quick file there, mode 0600, instead of printing it')
    .action(async (vrouter: string, name: string, options: AddOptions, command: Command) => {
      await add(sessionOf(world, command), vrouter, name, options);
    });
}

async function add(session: Session, vrouter: string, name: string, options: AddOptions): Promise<void> {
  const controller = session.controller();
  const keys = options.publicKey === undefined ? await newKeyPair() : null;
  const secrets: PeerSecrets = {
    privateKey: keys?.privateKey ?? null,
    presharedKey: options.psk === true ? newPresharedKey() : null,
  };
  if (keys !== null) await refuseWithoutGateway(controller, vrouter);
  const file = options.out === undefined ? null : reserveSecretFile(options.out);
  const reply = await createOrAbandon(controller, vrouter, file, {
    name,
    publicKey: options.publicKey ?? keys!.publicKey,
    ...(secrets.presharedKey === null ? {} : { presharedKey: secrets.presharedKey }),
    ...(options.allowedIps === undefined ? {} : { allowedIps: [...options.allowedIps] }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.keepalive === undefined ? {} : { persistentKeepalive: options.keepalive }),
  });
  const config = wgQuickText(reply.data, secrets, options.keepalive ?? 0);
  file?.write(config);
  report(session, reply, config, options, secrets);
}

/** A file without the gateway's key would be of no use, and the private key in it lost: better to say so first. */
async function refuseWithoutGateway(controller: Controller, name: string): Promise<void> {
  const { data } = await controller.get(pathOf`/v1/vrouters/${name}`, vrouterSchema);
  if (data.status.publicKey !== null) return;
  throw new Failure(
    'intent.reference',
    `no gateway has joined ${name} yet, so its public key is not known; start vrouterd with a join string first, or give --public-key`,
  );
}

async function createOrAbandon(
  controller: Controller,
  vrouter: string,
  file: SecretFile | null,
  request: CreatePeerRequest,
): Promise<Reply<CreatePeerReply>> {
  try {
    return await controller.create(pathOf`/v1/vrouters/${vrouter}/peers`, request, createPeerReply);
  } catch (error) {
    file?.abandon();
    throw error;
  }
}

/** Secrets that went into no file are shown, once; standard output alone can be redirected into one. */
function report(
  session: Session,
  reply: Reply<CreatePeerReply>,
  config: string,
  options: AddOptions,
  secrets: PeerSecrets,
): void {
  const { world } = session;
  const mustShow = options.out === undefined && (secrets.privateKey !== null || secrets.presharedKey !== null);
  if (session.json) {
    const raw = reply.raw as { readonly [name: string]: unknown };
    world.out(JSON.stringify(mustShow ? { ...raw, config } : raw, null, 2));
    return;
  }
  const { peer, version } = reply.data;
  const summary = pairs([
    ['peer', peer.name],
    ['public key', peer.publicKey],
    ['addresses', peer.addresses.join(', ')],
    ['allowed IPs', peer.allowedIps.join(', ')],
    ['version', version],
    ...(options.out === undefined ? [] : ([['wg-quick file', options.out]] as const)),
  ]);
  if (!mustShow) world.out(summary);
  else {
    world.note(summary);
    world.note('the file for wg-quick follows on standard output; its keys are shown this once:');
    world.out(config.trimEnd());
  }
}
