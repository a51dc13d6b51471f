/** The stories of host.txt: a TUN link beside a WireGuard link, packets in, packets and counters out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

const text = readFileSync(new URL('host.txt', import.meta.url), 'utf8');
for (const story of text.split(/^# /m).slice(1)) {
  const [title, ...lines] = story.trim().split('\n');
  for (const workers of [1, 2, 3]) play(title!, lines, workers);
}

function play(title: string, lines: readonly string[], workers: number): void {
  test(`${title}, ${workers} workers`, async () => {
    const made = new World(undefined, workers);
    await made.gateway();
    const device = await made.hostInterface();
    const peer = await made.client(1);
    // Shakes hands, which counts one packet each way on wg0.
    peer.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
    made.settle();
    assert.equal(peer.inbox.splice(0).length, 1);

    const expected = { peer: [] as string[], host: [] as string[], links: [] as string[] };
    const drops: { [reason: string]: number } = {};
    for (const line of lines) {
      const [verb, what, value] = line.split(' ');
      if (verb === 'host') device.say(Uint8Array.fromHex(what!));
      else if (verb === 'from') peer.send(Uint8Array.fromHex(value!));
      else if (verb === 'to') expected.peer.push(value!);
      else if (verb === 'tohost') expected.host.push(what!);
      else if (verb === 'drop') drops[what!] = Number(value);
      else if (verb === 'link') expected.links.push(line);
      else assert.fail(`what is "${line}"?`);
      made.settle();
    }
    const hex = (packets: readonly Uint8Array[]): string[] => packets.map((packet) => packet.toHex());
    assert.deepEqual(hex(peer.inbox), expected.peer, 'to the peer');
    assert.deepEqual(hex(device.received), expected.host, 'to the host');
    assert.deepEqual(made.drops(), drops);
    const links = made.engine.counters().links.map(({ name, rxPackets, txPackets, drops: dropped }) => {
      const hands = name === 'wg0' ? 1 : 0;
      return `link ${name} rx ${rxPackets - hands} tx ${txPackets - hands} drops ${dropped}`;
    });
    assert.deepEqual(links.sort(), expected.links);
  });
}
