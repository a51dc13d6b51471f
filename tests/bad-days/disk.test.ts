/** The disk of a database is full: nothing acknowledged is lost, packets pass, all is told, and it goes on by itself when there is room. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { needs } from '../world/needs.ts';
import { SmallDisk } from './disk.ts';
import { isOnThePlane, passes } from './network.ts';

const skip = needs('mountns');
const timeout = 180_000;

/** A network in which one program's database is on a small disk. */
async function withSmallDisk(
  who: 'controller' | 'gateway',
  body: (network: Network, disk: SmallDisk, pid: number) => Promise<void>,
): Promise<void> {
  let disk: SmallDisk | null = null;
  const launch = (folder: string) => {
    disk = new SmallDisk(join(folder, 'disk'), 8);
    disk.holds(join(folder, who, who === 'controller' ? 'controller.db' : 'vrouterd.db'));
    return (name: string, plain: Parameters<SmallDisk['under']>[0]) => (name === who ? disk!.under(plain) : plain);
  };
  await withNetwork({ wireguardGo: false, launch }, async (network) => body(network, disk!, network.child(who).pid));
}

async function add(network: Network, name: string): Promise<number> {
  const { publicKey } = await newKeyPair();
  return (await network.controller.createPeer(VROUTER, { name, publicKey })).version;
}

test('the controller’s disk is full: changes are refused and not half made, polls and packets go on', {
  skip,
  timeout,
}, async () => {
  await withSmallDisk('controller', async (network, disk, pid) => {
    const made: string[] = [];
    const refused: string[] = [];
    disk.fill(pid);
    // What is allocated already may take a few more.
    for (let n = 0; n < 40 && refused.length < 3; n++) {
      const name = `p${n}`;
      try {
        await add(network, name);
        made.push(name);
      } catch (thrown) {
        assert.ok(thrown instanceof ProblemError);
        assert.equal(thrown.problem.code, 'store.unavailable');
        assert.match(thrown.message, /controller\.db cannot be used now: .*full/);
        refused.push(name);
      }
    }
    assert.equal(refused.length, 3, 'the disk was full');
    await passes(network);
    const { connected } = await network.controller.status(VROUTER);
    assert.ok(connected, 'it answers what it has in memory');
    // Long enough for a poll and for what is written every five seconds.
    const { lastPollUnixMs } = await network.controller.status(VROUTER);
    await waitFor('another poll', 15_000, async () =>
      (await network.controller.status(VROUTER)).lastPollUnixMs! > lastPollUnixMs! + 5000 ? true : null,
    );
    assert.equal((await network.gateway.status()).controller.state, 'connected');
    disk.clear(pid);
    await add(network, 'after');
    await isOnThePlane(network, 'after');
    assert.equal(network.child('controller').pid, pid, 'without a restart');
    assert.ok(!network.child('controller').hasEnded);
    const names = (await network.controller.peers(VROUTER)).peers.map((peer) => peer.name);
    assert.deepEqual(names.sort(), ['after', 'alice', 'bob', ...made].sort());
    await passes(network);
  });
});

test('the gateway’s disk is full: what is not stored is not made true, packets go on, both sides are told', {
  skip,
  timeout,
}, async () => {
  await withSmallDisk('gateway', async (network, disk, pid) => {
    disk.fill(pid);
    // A log that was written before has room for a few more.
    let version = 0;
    const waiting = async (): Promise<boolean> => {
      version = await add(network, `n${version}`);
      const stored = await waitFor('it to be stored', 1500, async () =>
        (await network.gateway.status()).storedVersion === version ? true : null,
      ).catch(() => false);
      return !stored;
    };
    let tries = 0;
    while (!(await waiting())) assert.ok(tries++ < 40, 'the disk was full');
    const last = (await network.controller.peers(VROUTER)).peers.length;
    const failing = await waitFor('the controller to hear of it', 15_000, async () => {
      const { errors } = await network.controller.status(VROUTER);
      return errors.find(({ key }) => key === 'store') ?? null;
    });
    assert.equal(failing.code, 'data.unwritable');
    assert.match(failing.message, /vrouterd\.db|database/);
    const { controller, storedVersion, appliedVersion } = await network.gateway.status();
    assert.equal(controller.state, 'connected', 'it polls on');
    assert.ok(storedVersion < version && appliedVersion < version, 'what is not stored is not made true');
    assert.ok((await network.gateway.peers()).length < last);
    await passes(network);
    // The looks at the plane, which keep where peers are, meet the full disk too.
    await waitFor('another look', 15_000, async () =>
      (await network.gateway.status()).controller.lastPollUnixMs! > Date.now() - 1000 ? true : null,
    );
    assert.ok(!network.child('gateway').hasEnded, 'a full disk ends nobody');
    disk.clear(pid);
    await waitFor('what was held up to be stored', 30_000, async () =>
      (await network.gateway.status()).appliedVersion === version ? true : null,
    );
    assert.equal((await network.gateway.peers()).length, last);
    await waitFor('the controller to hear that it is well', 15_000, async () =>
      (await network.controller.status(VROUTER)).errors.length === 0 ? true : null,
    );
    assert.equal(network.child('gateway').pid, pid, 'without a restart');
    await passes(network);
    const log = readFileSync(network.path('logs', 'gateway.log'), 'utf8');
    assert.match(log, /"level":50.*"code":"data\.unwritable"/);
    assert.match(log, /takes what it is told again/);
  });
});
