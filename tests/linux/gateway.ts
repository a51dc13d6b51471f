/**
 * A gateway on the kernel's plane: vrouterd in a machine of its own, and peers there which are WireGuard devices of that kernel in namespaces.
 * Controller and command line run here.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { runHere } from '../../programs/cli/in-process.testing.ts';
import type { Ended } from '../../programs/cli/process.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { ok } from '../thread/gateways.ts';
import { Machine, type Program, type Ran } from '../world/machine/machine.ts';
import { CONFIG, CONFIG_TEXT, compiled, DATA, VROUTERD } from '../world/machine/vrouterd.ts';
import { PLANE_MODULES } from './guest.ts';

export const VROUTER = 'edge';
export const PORT = 51820;
/** An emulated machine, and one that others use too. */
const SLOW_MS = 180_000;

export class GatewayWorld implements AsyncDisposable {
  readonly machine: Machine;
  readonly controller: ControllerProcess;
  readonly api: GatewayApi;
  readonly #env: { readonly [name: string]: string };
  readonly #undo: AsyncDisposableStack;
  daemon: Program | null = null;

  private constructor(
    machine: Machine,
    controller: ControllerProcess,
    folder: string,
    env: { readonly [name: string]: string },
    undo: AsyncDisposableStack,
  ) {
    this.machine = machine;
    this.controller = controller;
    this.#env = env;
    this.#undo = undo;
    this.api = new GatewayApi(join(folder, 'vrouterd.sock'));
  }

  /** A machine, a controller that it reaches, and nothing on them. */
  static async start(): Promise<GatewayWorld> {
    await using undo = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'vr-'));
    undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    const controller = await ControllerProcess.start(join(folder, 'controller'));
    undo.defer(async () => void (await controller.end('SIGKILL')));
    const env = compiled(folder);
    const machine = undo.use(await Machine.start(PLANE_MODULES));
    await machine.lend(controller.agentsPort);
    await machine.reach(join(folder, 'vrouterd.sock'), join(DATA, 'vrouterd.sock'));
    return new GatewayWorld(machine, controller, folder, env, undo.move());
  }

  /** Makes the vrouter and starts a gateway that joins as it. */
  async join(): Promise<void> {
    const networks = ['10.77.0.0/16', 'fd77::/64'];
    const body = { name: VROUTER, networks, listenPort: PORT };
    const { join: ticket } = await ok<CreateVrouterReply>(this.controller.call('POST', '/v1/vrouters', body));
    await this.machine.write(CONFIG, CONFIG_TEXT);
    this.startDaemon('--join', ticket.string);
    await this.applied();
  }

  /** vrouterd, also again after its end. */
  startDaemon(...more: readonly string[]): void {
    const args = [VROUTERD, '--config', CONFIG, ...more];
    this.daemon = this.machine.spawn(process.execPath, args, this.#env);
  }

  /** Waits until the daemon answers; it is not asked before it can, which would take from an emulated machine. */
  async answers(): Promise<void> {
    await this.#alive(
      waitFor('vrouterd to run', SLOW_MS, async () => (this.log.includes('"msg":"running"') ? true : null)),
    );
  }

  /** Waits until the controller was told that its last word is true. */
  applied(): Promise<unknown> {
    const path = `/v1/vrouters/${VROUTER}/status`;
    return this.#alive(
      waitFor('the gateway to have it', SLOW_MS, async () => {
        const { appliedVersion, version } = await ok<VrouterStatus>(this.controller.call('GET', path));
        return appliedVersion === version ? true : null;
      }),
    );
  }

  ctl(...args: readonly string[]): Promise<Ended> {
    return runHere(args, {
      env: {
        VROUTER_SOCKET: this.api.socketPath,
        VROUTER_CONTROLLER: this.controller.rest,
        VROUTER_TOKEN: this.controller.token,
      },
    });
  }

  /** A command that must work, and what it says. */
  async done(...args: readonly string[]): Promise<string> {
    const { status, out, err } = await this.ctl(...args);
    if (status !== 0) throw new Error(`${args.join(' ')}: ${err}${out}`);
    return out;
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.done(...args, '--json')) as T;
  }

  /** A peer of the controller's and its device, in a namespace with a cable to the gateway. */
  async peer(name: string, number: number, family: 4 | 6, withSecret = false): Promise<KernelPeer> {
    const { privateKey, publicKey } = await newKeyPair();
    const presharedKey = withSecret ? randomBytes(32).toString('base64') : null;
    const body = { name, publicKey, presharedKey };
    const reply = await ok<CreatePeerReply>(this.controller.call('POST', `/v1/vrouters/${VROUTER}/peers`, body));
    const peer = new KernelPeer(this.machine, name, number, family, publicKey, reply);
    await peer.make(privateKey, presharedKey);
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo.disposeAsync();
  }

  get log(): string {
    return this.daemon?.err ?? '';
  }

  async #alive<T>(work: Promise<T>): Promise<T> {
    const ended = this.daemon!.ended.then(({ status, err }) => {
      throw new Error(`vrouterd ended: ${status}\n${err}`);
    });
    try {
      return await Promise.race([work, ended]);
    } catch (thrown) {
      throw new Error(`${String(thrown)}\n${this.log.slice(-6000)}`);
    }
  }
}

/** WireGuard of the kernel in a namespace; 192.168.N.2 and fd00:N::2 on its cable, the gateway has .1 and ::1. */
export class KernelPeer {
  readonly name: string;
  readonly publicKey: string;
  readonly address4: string;
  readonly address6: string;
  readonly endpoint: string;
  readonly reply: CreatePeerReply;
  readonly #number: number;
  readonly #machine: Machine;
  readonly #family: 4 | 6;

  constructor(
    machine: Machine,
    name: string,
    number: number,
    family: 4 | 6,
    publicKey: string,
    reply: CreatePeerReply,
  ) {
    this.#machine = machine;
    this.name = name;
    this.#number = number;
    this.#family = family;
    this.publicKey = publicKey;
    this.reply = reply;
    const [four, six] = reply.peer.addresses.map((prefix) => prefix.replace(/\/.*/, ''));
    this.address4 = four!;
    this.address6 = six!;
    this.endpoint = family === 4 ? `192.168.${number}.2` : `[fd00:${number}::2]`;
  }

  async make(privateKey: string, presharedKey: string | null = null): Promise<void> {
    const [name, n] = [this.name, this.#number];
    await this.#machine.script(
      `ip netns add ${name}`,
      `ip link add c${n} type veth peer name eth0 netns ${name}`,
      `ip addr add 192.168.${n}.1/24 dev c${n}`,
      `ip addr add fd00:${n}::1/64 dev c${n} nodad`,
      `ip link set c${n} up`,
      `ip -n ${name} -b - <<END`,
      'link set lo up',
      `addr add 192.168.${n}.2/24 dev eth0`,
      `addr add fd00:${n}::2/64 dev eth0 nodad`,
      'link set eth0 up',
      'link add wg0 type wireguard',
      `addr add ${this.address4}/16 dev wg0`,
      `addr add ${this.address6}/64 dev wg0 nodad`,
      'link set wg0 mtu 1420',
      'END',
    );
    await this.key(privateKey, presharedKey);
    await this.#machine.script(`ip -n ${name} link set wg0 up`);
  }

  /** The device gets these keys; the gateway is its peer. */
  async key(privateKey: string, presharedKey: string | null): Promise<void> {
    const { name } = this;
    const { gateway } = this.reply;
    const at = this.#family === 4 ? `192.168.${this.#number}.1` : `[fd00:${this.#number}::1]`;
    await this.#machine.script(
      `printf %s '${privateKey}' > /run/key`,
      `printf %s '${presharedKey ?? ''}' > /run/psk`,
      `ip netns exec ${name} wg set wg0 private-key /run/key peer '${gateway.publicKey}' preshared-key /run/psk \
        endpoint ${at}:${PORT} allowed-ips ${gateway.allowedIps.join(',')}`,
      'rm /run/key /run/psk',
    );
  }

  /** ping(8) from the peer's namespace; answers that came. */
  ping(to: string, count = 3, interval = 0.2, patience = 5): Promise<number> {
    return ping(this.#machine, this.name, to, count, interval, patience);
  }
}

const pingWords = (namespace: string | null): readonly string[] => [
  ...(namespace === null ? [] : ['ip', 'netns', 'exec', namespace]),
  ...['ping', '-n', '-q'],
];

/** ping(8) from a namespace, or from where the gateway is; answers that came. */
export async function ping(
  machine: Machine,
  namespace: string | null,
  to: string,
  count = 3,
  interval = 0.2,
  patience = 5,
): Promise<number> {
  const [program, ...words] = pingWords(namespace);
  const ran = await machine.run(program!, ...words, '-c', `${count}`, '-i', `${interval}`, '-W', `${patience}`, to);
  return summaryOf(ran).received;
}

export interface Beats {
  end(): Promise<{ readonly sent: number; readonly received: number; readonly lost: number }>;
}

/** ping(8) until it is ended. */
export function beats(machine: Machine, namespace: string, to: string, interval: number): Beats {
  const [program, ...words] = pingWords(namespace);
  const going = machine.spawn(program!, [...words, '-i', `${interval}`, to]);
  return {
    async end() {
      const { sent, received } = summaryOf(await going.end('SIGINT'));
      // The last one may be on its way.
      return { sent, received, lost: Math.max(0, sent - received - 1) };
    },
  };
}

function summaryOf({ out, err }: Ran): { readonly sent: number; readonly received: number } {
  const found = /(\d+) packets transmitted, (\d+) received/.exec(out);
  if (found === null) throw new Error(`ping: ${out}${err}`);
  return { sent: Number(found[1]), received: Number(found[2]) };
}
