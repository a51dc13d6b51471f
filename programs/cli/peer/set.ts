/** `vrouterctl peer set`: changes a peer in place. */
import { type ChangePeerReply, type ChangePeerRequest, changePeerReply } from '@vrouter/api/rest/peers.ts';
import { newPresharedKey } from '@vrouter/api/wireguard/keys.ts';
import type { Command } from 'commander';
import { type IfMatch, ifMatchOption, list, whole } from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import type { Reply } from '../clients/reply.ts';
import { Failure } from '../failure.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { reserveSecretFile } from './secret-file.ts';

interface SetOptions extends IfMatch {
  readonly name?: string;
  readonly publicKey?: string;
  /** False: there shall be none. */
  readonly allowedIps?: readonly string[] | false;
  readonly endpoint?: string | false;
  /** True: a new one; false: none. */
  readonly psk?: boolean;
  readonly keepalive?: number;
  readonly out?: string;
}

const help = `
--psk makes a preshared key here and shows it once, as a line for the peer's file: put it there, or the next handshake fails.
A new key is better given by peer rotate, which keeps the old one good until the device has changed.

Examples:
  vrouterctl peer set edge-1 office --allowed-ips 192.168.5.0/24,192.168.6.0/24
  vrouterctl peer set edge-1 phone --name old-phone --if-match ETAG
  vrouterctl peer set edge-1 phone --psk --out phone.psk`;

export function addPeerSet(noun: Command, world: World): void {
  noun
    .command('set')
    .description('change a peer in place; the others do not notice')
    .argument('<vrouter>')
    .argument('<peer>', 'name or public key')
    .option('--name <name>', 'call it so from now on')
    .option('--public-key <key>', 'its key from now on; cuts it off until it has changed (see peer rotate)')
    .option('--allowed-ips <cidr>', 'all the networks behind the peer; may be repeated', list)
    .option('--no-allowed-ips', 'no networks behind the peer')
    .option('--endpoint <ip:port>', 'where the gateway reaches the peer')
    .option('--no-endpoint', 'forget where; it is heard of when it speaks')
    .option('--keepalive <seconds>', 'keepalives from the gateway; 0 is off', whole(0, 65_535))
    .option('--psk', 'a new preshared key, made here')
    .option('--no-psk', 'no preshared key any more')
    .option('--out <file>', 'write the line with the new preshared key there, mode 0600, instead of printing it')
    .addOption(ifMatchOption())
    .addHelpText('after', help)
    .action(async (vrouter: string, peer: string, options: SetOptions, command: Command) => {
      await set(sessionOf(world, command), vrouter, peer, options);
    });
}

async function set(session: Session, vrouter: string, peer: string, options: SetOptions): Promise<void> {
  const { name, publicKey, allowedIps, endpoint, psk, keepalive, out, ifMatch } = options;
  const presharedKey = psk === true ? newPresharedKey() : null;
  const request: ChangePeerRequest = {
    ...(name === undefined ? {} : { name }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(allowedIps === undefined ? {} : { allowedIps: allowedIps === false ? [] : [...allowedIps] }),
    ...(endpoint === undefined ? {} : { endpoint: endpoint === false ? null : endpoint }),
    ...(keepalive === undefined ? {} : { persistentKeepalive: keepalive }),
    ...(psk === undefined ? {} : { presharedKey }),
  };
  if (Object.keys(request).length === 0)
    throw new Failure('usage', 'there is nothing to change; see vrouterctl peer set --help');
  if (out !== undefined && presharedKey === null)
    throw new Failure('usage', '--out is for the preshared key that --psk makes', '--out');
  const file = out === undefined ? null : reserveSecretFile(out);
  const line = `PresharedKey = ${presharedKey}\n`;
  let reply: Reply<ChangePeerReply>;
  try {
    const path = pathOf`/v1/vrouters/${vrouter}/peers/${peer}`;
    reply = await session.controller().patch(path, request, changePeerReply, ifMatch);
  } catch (error) {
    file?.abandon();
    throw error;
  }
  file?.write(line);
  report(session, reply, file === null ? presharedKey : null, line);
}

/** A key that went into no file is shown, once. */
function report(session: Session, reply: Reply<ChangePeerReply>, shown: string | null, line: string): void {
  const { world } = session;
  if (session.json) {
    const raw = reply.raw as { readonly [name: string]: unknown };
    world.out(JSON.stringify(shown === null ? raw : { ...raw, presharedKey: shown }, null, 2));
    return;
  }
  const { peer, version, effect } = reply.data;
  const cut = effect === 'interrupt' ? ' (what flowed is interrupted)' : '';
  const said = `changed ${peer.name}, version ${version}${cut}`;
  if (shown === null) world.out(said);
  else {
    world.note(said);
    world.note("the line for the peer's file follows on standard output; its key is shown this once:");
    world.out(line.trimEnd());
  }
}
