/** Answers of the controller that are cut off on the way: nothing is half applied, no change is lost, no join string burnt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { CuttingProxy } from './cutting.ts';
import { passes } from './network.ts';

test('answers are cut off after any number of bytes: joining, polling and packets go on', {
  timeout: 180_000,
}, async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const { version } = await network.controller.status(VROUTER);
    const first = await network.controller.createToken(VROUTER);
    await using proxy = await CuttingProxy.to(Number(new URL(first.join.string).port));
    for (const name of ['gateway', 'controller'] as const) {
      const child = network.child(name);
      child.process.kill('SIGKILL');
      await child.ended;
    }
    // Gateways learn of no way past the proxy.
    await network.startController('--agent-address', `127.0.0.1:${proxy.port}`);
    const { join } = await network.controller.createToken(VROUTER);

    // Within the handshake, within discover and within the answer that has the certificate.
    proxy.cut([100, 900, 2500, 2600, 3500, 4000]);
    await network.startGateway({ join: join.string });
    await waitFor('it to join all the same', 60_000, async () => {
      const { controller } = await network.gateway.status();
      return controller.state === 'connected' && controller.url?.includes(String(proxy.port)) ? true : null;
    });
    assert.ok(proxy.done >= 3, `${proxy.done} answers were cut`);
    await passes(network);

    // A delta with twenty peers, cut at ever more bytes.
    for (const bytes of [1, 200, 1200, 2800]) {
      const before = proxy.done;
      proxy.cut([bytes, bytes]);
      const keys = await Promise.all(Array.from({ length: 5 }, () => newKeyPair()));
      for (const [n, { publicKey }] of keys.entries())
        await network.controller.createPeer(VROUTER, { name: `p${bytes}-${n}`, publicKey });
      const wanted = (await network.controller.status(VROUTER)).version;
      await waitFor(`version ${wanted}`, 60_000, async () =>
        (await network.gateway.status()).appliedVersion === wanted ? true : null,
      );
      assert.ok(proxy.done > before, 'an answer was cut');
      const [wants, has] = [(await network.controller.peers(VROUTER)).peers, await network.gateway.peers()];
      assert.deepEqual(has.map((peer) => peer.publicKey).sort(), wants.map((peer) => peer.publicKey).sort());
    }
    assert.equal((await network.controller.status(VROUTER)).version, version + 20, 'one version for each change');
    await passes(network);
  });
});
