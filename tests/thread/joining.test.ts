/** Joining, and joining anew, as people do it: the daemon as a process, the controller as a process, join strings in between. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from './network.ts';

test('a new join string takes an enrolled gateway to another vrouter; the string it joined with is no wish', async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const before = await network.gateway.status();
    const { join } = await network.controller.createVrouter({ name: 'second', listenPort: 20_001 });
    await network.child('gateway').stop();
    for (let start = 0; start < 2; start++) {
      // The second time the same string is given again, as it would be in a configuration file.
      await network.startGateway({ join: join.string });
      const status = await waitFor('the new enrolment', 15_000, async () => {
        const now = await network.gateway.status();
        return now.name === 'second' && now.controller.state === 'connected' ? now : null;
      });
      assert.notEqual(status.gatewayId, before.gatewayId);
      await waitFor('the old peers to be gone', 15_000, async () =>
        (await network.gateway.peers()).length === 0 ? true : null,
      );
      await network.child('gateway').stop();
    }
    const { vrouters } = await network.controller.vrouters();
    assert.equal(vrouters.find((vrouter) => vrouter.name === VROUTER)!.peers, 2);
    await network.startGateway({ join: join.string });
  });
});

test('a join string that does not work leaves an enrolled gateway as it was', async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const { join } = await network.controller.createVrouter({ name: 'second', listenPort: 20_001 });
    await network.child('gateway').stop();
    const wrong = join.string.replace(/vrj_(.{8})_.{43}/, (_, id: string) => `vrj_${id}_${'A'.repeat(43)}`);
    assert.notEqual(wrong, join.string);
    await network.startGateway({ join: wrong });
    await waitFor('the old enrolment to go on', 15_000, async () => {
      const { name, controller } = await network.gateway.status();
      return name === VROUTER && controller.state === 'connected' ? true : null;
    });
    assert.equal((await network.gateway.peers()).length, 2);
  });
});
