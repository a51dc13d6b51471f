/**
 * Keys rotated with everything real: controller, vrouterd, engine, and wireguard-go as the device, under a ping that goes on. The device
 * changes while the controller is dead and loses what its own change costs; a straggler keeps its old key until it is forced; a new
 * preshared key alone leaves the session alive.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import type { DemoPeer } from '../../programs/demo/peers/kinds.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { ip, LAB_NEEDS, Lab, ping, reaches } from '../wireguard-go/lab.ts';
import { needs } from '../world/needs.ts';
import { environmentOf, withNetwork } from './network.ts';

const program = fileURLToPath(new URL('../../vrouterctl', import.meta.url));
const GATEWAY = '10.77.0.1';
/** Between two pings, s. */
const BEAT = 0.05;

async function kill(network: Network, name: 'controller' | 'gateway'): Promise<void> {
  const { process: child } = network.child(name);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

const hex = (base64: string): string => Uint8Array.fromBase64(base64).toHex();

/** The lines of a wg-quick file as wireguard-go's socket takes them. */
function fromFile(text: string, gatewayKey: string): string[] {
  const value = (name: string): string | null => new RegExp(`^${name} = (\\S+)$`, 'm').exec(text)?.[1] ?? null;
  const privateKey = value('PrivateKey');
  const presharedKey = value('PresharedKey');
  return [
    ...(privateKey === null ? [] : [`private_key=${hex(privateKey)}`]),
    `public_key=${hex(gatewayKey)}`,
    'update_only=true',
    ...(presharedKey === null ? [] : [`preshared_key=${hex(presharedKey)}`]),
  ];
}

interface RotationJson {
  readonly rotation: {
    readonly id: string;
    readonly state: string;
    readonly peers: readonly { readonly peer: string; readonly state: string; readonly effect: string | null }[];
  };
  readonly config: string;
}

test('keys are rotated under a ping, across kill -9 of the controller and of the gateway', {
  skip: needs(...LAB_NEEDS),
  timeout: 180_000,
}, async (t) => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const lab = new Lab();
    try {
      const [, bob] = network.peers as [DemoPeer, DemoPeer];
      const env = environmentOf(network);
      const ctl = (...args: string[]): Promise<string> =>
        new Promise((resolve, reject) => {
          execFile(program, args, { env }, (error, out, err) =>
            error === null ? resolve(out) : reject(new Error(`${args.join(' ')}: ${err}`)),
          );
        });
      const shown = async (id: string): Promise<RotationJson['rotation']> =>
        (JSON.parse(await ctl('rotation', 'show', 'demo', id, '--json')) as RotationJson).rotation;
      const reachesState = (id: string, state: string): Promise<unknown> =>
        waitFor(`the rotation to be ${state}`, 20_000, async () => {
          const { peers } = await shown(id);
          return peers.every((peer) => peer.state === state) ? true : null;
        });
      const applied = (): Promise<unknown> =>
        waitFor('the gateway to have it', 10_000, async () => {
          const status = await network.controller.status(VROUTER);
          return status.appliedVersion === status.version ? true : null;
        });

      const namespace = lab.island('device');
      const go = await lab.wireguardGo(namespace, { outside: true });
      const made = await network.controller.createPeer(VROUTER, { name: 'device', publicKey: go.publicKey.toBase64() });
      const inner = (...args: string[]): void => ip('-n', namespace, ...args);
      inner('addr', 'add', made.peer.addresses[0]!.replace('/32', '/24'), 'dev', go.name);
      inner('link', 'set', go.name, 'mtu', '1420', 'up');
      const gatewayKey = made.gateway.publicKey!;
      const theGateway = [`endpoint=${made.gateway.endpoint}`, 'allowed_ip=10.77.0.0/24'];
      await applied();
      await go.set(`public_key=${hex(gatewayKey)}`, ...theGateway);
      await reaches(namespace, GATEWAY);

      await t.test('a device changes while the controller is dead, and the gateway dies right after', async () => {
        const begun = JSON.parse(await ctl('peer', 'rotate', 'demo', 'device', '--json')) as RotationJson;
        assert.deepEqual([begun.rotation.state, begun.rotation.peers[0]!.state], ['running', 'offered']);
        await applied();
        await kill(network, 'controller');
        const beats = ping(namespace, GATEWAY, 200, BEAT, 1);
        await delay(1000);
        await go.set(...fromFile(begun.config, gatewayKey));
        await delay(1500);
        await kill(network, 'gateway');
        await network.startGateway({ controllerIsAway: true });
        await delay(1000);
        await network.startController();
        const { sent, received } = await beats;
        t.diagnostic(`${sent - received} of ${sent} pings lost, one each ${BEAT * 1000} ms`);
        assert.ok(sent - received <= 10, `${sent - received} pings lost`);
        await reachesState(begun.rotation.id, 'switched');
        const [peer] = (await shown(begun.rotation.id)).peers;
        assert.equal(peer!.effect, 'none');
        // The old key is gone, and the version that says so changes nothing on the plane.
        await applied();
        const still = await ping(namespace, GATEWAY, 40, BEAT, 1);
        assert.deepEqual(still, { sent: 40, received: 40 });
        const rows = (await network.gateway.peers()).filter((row) => row.name === 'device');
        assert.equal(rows.length, 1);
        await ctl('rotation', 'show', 'demo', begun.rotation.id, '--wait');
      });

      await t.test('a new preshared key alone: the session goes on, and its next handshake has it', async () => {
        const handshake = async () =>
          (await network.gateway.peers()).find((row) => row.name === 'device')!.lastHandshakeUnixMs;
        const before = await handshake();
        const beats = ping(namespace, GATEWAY, 160, BEAT, 1);
        const begun = JSON.parse(
          await ctl('peer', 'rotate', 'demo', 'device', '--only', 'psk', '--json'),
        ) as RotationJson;
        await applied();
        await delay(2000);
        // The gateway has it, the device does not: nobody notices.
        assert.equal(await handshake(), before);
        await go.set(...fromFile(begun.config, gatewayKey));
        assert.deepEqual(await beats, { sent: 160, received: 160 });
        assert.equal(await handshake(), before);
        assert.equal((await shown(begun.rotation.id)).state, 'running');
        // Its next handshake, which would be its own in two minutes.
        const lines = fromFile(begun.config, gatewayKey).filter((line) => line !== 'update_only=true');
        await go.set(`public_key=${hex(gatewayKey)}`, 'remove=true');
        await go.set(...lines, ...theGateway);
        await reaches(namespace, GATEWAY);
        await reachesState(begun.rotation.id, 'switched');
      });

      await t.test('a straggler keeps its old key until it is forced', async () => {
        const { publicKey } = await newKeyPair();
        const { token, url } = { token: env.VROUTER_TOKEN!, url: network.controller.url };
        const started = await fetch(`${url}/v1/vrouters/${VROUTER}/rotations`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ what: 'key', deadlineSeconds: 1, peers: [{ peer: 'bob', publicKey }] }),
        });
        const { id } = ((await started.json()) as RotationJson).rotation;
        await reachesState(id, 'straggler');
        assert.match(await ctl('vrouter', 'show', 'demo'), /new keys: +0 offered, 0 waiting, 1 stragglers/);
        assert.equal((await bob.ping(GATEWAY, 2)).length, 2);
        const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
        assert.match(await metrics.text(), /vrouter_controller_rotating_peers\{vrouter="demo",state="stragglers"\} 1/);
        await ctl('rotation', 'force', 'demo', id);
        await applied();
        await assert.rejects(bob.ping(GATEWAY, 1));
        assert.equal((await shown(id)).peers[0]!.effect, 'interrupt');
      });
    } finally {
      await lab.close();
    }
  });
});
