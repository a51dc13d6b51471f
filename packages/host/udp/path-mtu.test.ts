import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { openUdp, udpBackend } from './open.ts';

const skip = udpBackend() === 'recvmmsg' ? false : 'only the system calls tell';
const here4 = makeEndpoint(Uint8Array.of(127, 0, 0, 1), 9);
const here6 = makeEndpoint(Uint8Array.fromHex('00000000000000000000000000000001'), 9);
const nowhere = makeEndpoint(Uint8Array.of(255, 255, 255, 255), 9);

it('tells what the kernel knows of each family, again and again', { skip }, async () => {
  const socket = await openUdp({ address: '127.0.0.1', port: 0 });
  // Loopback takes 65,536 bytes, unless somebody has made it narrower.
  for (let i = 0; i < 3; i++) {
    for (const to of [here4, here6]) {
      const mtu = socket.pathMtu(to);
      assert.ok(mtu !== null && mtu >= 1280 && mtu <= 65_536, `${to.text}: ${mtu}`);
    }
    assert.equal(socket.pathMtu(nowhere), null, 'broadcast is refused');
  }
  await socket.close();
  assert.equal(socket.pathMtu(here4), null);
});

it('the fallback does not tell', async () => {
  const socket = await openUdp({ address: '127.0.0.1', port: 0 }, 'dgram');
  assert.equal(socket.pathMtu(here4), null);
  await socket.close();
});
