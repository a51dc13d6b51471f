import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_INCOMPLETE } from '@vrouter/protocols/neighbour/constants.ts';
import { echoPacket } from '../../testing/packets.testing.ts';
import { World } from '../../testing/world.testing.ts';

test('more neighbours than can be looked for: the next one is told of at once', async () => {
  const world = new World();
  await world.gateway();
  const port = await world.port();
  world.pass(10_000);
  const a = await world.client(1);
  a.send(echoPacket({ src: 'fd77::2', dst: 'fd77::1' }));
  world.settle();
  a.inbox.length = 0;
  port.take();
  for (let n = 0; n < MAX_INCOMPLETE + 1; n++)
    a.send(echoPacket({ src: 'fd77::2', dst: `fd88::${(0x100 + n).toString(16)}` }));
  world.settle();
  assert.deepEqual(world.drops(), { neighboursFull: 1 });
  assert.deepEqual([port.take().length, a.inbox.length], [MAX_INCOMPLETE, 1]);
  const [error] = a.inbox;
  assert.deepEqual([error![40], error![41]], [1, 3], 'address unreachable');
});
