/** A gateway's clock is put back by a day under traffic: packets pass, its peers are named, and a new engine is found by them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Launch, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { environmentOf, withNetwork } from '../thread/network.ts';
import { needs } from '../world/needs.ts';
import { Clock } from './clock.ts';
import { passes } from './network.ts';

test('a clock that goes back by a day: nobody is cut off, those who would refuse a new engine are named, and all is told', {
  skip: needs('faketime'),
  timeout: 180_000,
}, async () => {
  let clock: Clock | null = null;
  const launch = (folder: string) => {
    clock = new Clock(folder, 24);
    return (name: string, plain: Launch) => (name === 'gateway' ? clock!.under(plain) : plain);
  };
  await withNetwork({ wireguardGo: false, launch }, async (network) => {
    await passes(network);
    const ahead = await waitFor('the offset to be told', 20_000, async () => {
      const { clockOffsetMs, errors } = await network.controller.status(VROUTER);
      return clockOffsetMs !== null && errors.length === 0 ? clockOffsetMs : null;
    });
    assert.ok(Math.abs(ahead + 86_400_000) < 5000);
    assert.equal((await network.gateway.status()).controller.clockState, 'critical');
    const log = () => readFileSync(network.path('logs', 'gateway.log'), 'utf8');
    assert.match(log(), /"level":50.*"state":"critical".*24 hours ahead of the controller's; set it \(NTP\)/);
    const { VROUTER_CONTROLLER: url, VROUTER_TOKEN: token } = environmentOf(network);
    const metrics = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
    assert.match(await metrics.text(), /vrouter_controller_clock_offset_seconds\{vrouter="demo"\} -86[34]\d\d/);

    await clock!.set(0);
    const told = await waitFor(
      'the step to be told',
      20_000,
      async () => /went back by [^"]+/.exec(log())?.[0] ?? null,
    );
    assert.match(told, /went back by 24 h|went back by 1 d/);
    assert.match(told, /will be refused by alice, bob, until they shake hands themselves/);
    await passes(network);
    await waitFor('the clock to be right', 30_000, async () =>
      (await network.gateway.status()).controller.clockState === 'good' ? true : null,
    );
  });
});
