import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANSWERS_BURST } from '@vrouter/protocols/neighbour/constants.ts';
import { ArpOperation, emitArp } from '@vrouter/wire/arp/arp.ts';
import { ETHERNET_LEN, EtherType, emitEthernet } from '@vrouter/wire/ethernet/ethernet.ts';
import { ip } from '../../testing/packets.testing.ts';
import { World } from '../../testing/world.testing.ts';

test('questions beyond the rate are counted and not answered', async () => {
  const world = new World();
  const port = await world.port();
  world.pass(10_000);
  port.take();
  const question = new Uint8Array(60);
  const view = new DataView(question.buffer);
  const seven = Uint8Array.fromHex('020000000007');
  emitEthernet(question, view, 0, port.mac, seven, EtherType.arp);
  const sides = { senderMac: seven, senderIp: ip('192.168.1.7'), targetMac: new Uint8Array(6) };
  const message = { operation: ArpOperation.request, ...sides, targetIp: ip('192.168.1.1') };
  emitArp(message, question, view, ETHERNET_LEN);
  port.say(...Array.from({ length: ANSWERS_BURST + 3 }, () => question));
  assert.equal(port.take().length, ANSWERS_BURST);
  assert.deepEqual(world.drops(), { neighbourLimited: 3 });
  world.pass(1);
  port.say(question);
  assert.equal(port.take().length, 1, 'one a millisecond');
});
