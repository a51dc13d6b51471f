/** What a gateway tells Prometheus: all of the list below, and nobody's address or key. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { exchange } from '../../programs/demo/traffic/exchange.ts';
import { VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from './network.ts';

const names = [
  'vrouter_interface_bytes_total',
  'vrouter_interface_packets_total',
  'vrouter_interface_drops_total',
  'vrouter_peers',
  'vrouter_peers_recent',
  'vrouter_peer_bytes_total',
  'vrouter_routes',
  'vrouter_nat_sessions',
  'vrouter_plane_up',
  'vrouterd_reconciles_total',
  'vrouterd_reconcile_steps_total',
  'vrouterd_reconcile_steps_failed_total',
  'vrouterd_reconcile_last_seconds',
  'vrouterd_drift_repaired_total',
  'vrouterd_failing',
  'vrouterd_store_writable',
  'vrouterd_certificate_expiry_seconds',
  'vrouterd_certificate_state',
  'vrouterd_clock_offset_seconds',
  'vrouterd_clock_state',
  'vrouter_config_convergence_seconds_count',
];

function scrape(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/metrics' }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      reply.on('end', () => resolve(text));
    })
      .on('error', reject)
      .end();
  });
}

test('a gateway’s metrics: every figure, without addresses of peers', { timeout: 60_000 }, async () => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const [alice, bob] = network.peers;
    await exchange(alice!, bob!, { run: 1, count: 50, size: 200, pps: 200, patienceMs: 5000 });
    await waitFor('the clocks to be compared', 15_000, async () =>
      (await network.gateway.status()).controller.clockOffsetMs !== null ? true : null,
    );
    const text = await scrape(network.gateway.socketPath);
    const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const figure = (start: string): number =>
      Number(
        rows
          .find((row) => row.startsWith(start))
          ?.split(' ')
          .at(-1),
      );
    for (const name of names)
      assert.ok(
        rows.some((row) => row.startsWith(`${name} `) || row.startsWith(`${name}{`)),
        name,
      );
    assert.ok(figure('vrouter_interface_packets_total{interface="wg0",direction="rx"}') >= 200);
    assert.ok(figure('vrouter_peer_bytes_total{direction="tx"}') > 0);
    assert.ok(figure('vrouter_routes{vrf="default",state="programmed"}') >= 4);
    assert.equal(figure('vrouter_routes{vrf="default",state="failed"}'), 0);
    assert.equal(figure('vrouterd_store_writable'), 1);
    assert.equal(figure('vrouterd_clock_state{state="good"}'), 1);
    // The first state and two peers; by the controller's clock, so on one machine no time is negative.
    assert.ok(figure('vrouter_config_convergence_seconds_count') >= 2);
    assert.ok(figure('vrouter_config_convergence_seconds_sum') > 0);
    const keys = (await network.gateway.peers()).map((peer) => peer.publicKey);
    assert.ok(!keys.some((key) => text.includes(key)));
    // Where its controllers are is no secret of any peer.
    const others = rows.filter((row) => !row.startsWith('vrouterd_controller_')).join('\n');
    assert.doesNotMatch(others, /\d+\.\d+\.\d+\.\d+|fd77:/);
    // And the same figures reach the controller with a poll.
    const stats = await waitFor('a poll with them', 15_000, async () => {
      const { stats: told } = await network.controller.status(VROUTER);
      return told?.links?.some(({ rxPackets }) => rxPackets >= 200) ? told : null;
    });
    assert.ok(stats.routes!.default!.programmed >= 4);
    assert.ok(stats.steps! > 0);
  });
});
