/** The machine sleeps: the clock goes on, timers do not, and peers have thrown their keys away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { udpPacket } from './testing/packets.testing.ts';
import { World } from './testing/world.testing.ts';

test('after ten minutes of suspend the first packet shakes hands and arrives; nothing goes by the old keys', async () => {
  const world = new World();
  await world.gateway();
  const a = await world.client(1);
  const b = await world.client(2);
  const packet = (n: number): Uint8Array => udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, Uint8Array.of(n));
  b.send(udpPacket({ src: '10.77.0.3', dst: '10.77.0.1' }, Uint8Array.of(0)));
  world.settle();
  // What the gateway has to say to that is no matter.
  b.inbox.length = 0;
  a.send(packet(1));
  world.settle();
  assert.equal(b.inbox.length, 1);
  const shaken = (): number[] =>
    world.engine.dump().flatMap((row) => (row.is === 'peer' ? [row.lastHandshakeUnixMs ?? 0] : []));
  const before = shaken();

  // No alarm rings: the timers of the event loop have not moved.
  const asked = world.alarmAt;
  world.now = millis(world.now + 600_000);
  assert.ok(asked < world.now);
  a.send(packet(2));
  world.settle();
  assert.equal(b.inbox.length, 2);
  assert.deepEqual(b.inbox[1]?.at(-1), 2);
  assert.ok(shaken().every((at, i) => at >= before[i]! + 600_000));
  assert.ok(world.alarmAt > world.now, 'the alarm that slept is made up for');
  assert.deepEqual(world.drops(), { noListener: 1 });
});
