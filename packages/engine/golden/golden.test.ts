/** Whole graphs, packets in, packets and counters out, from text that people can read. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import type { Action } from '../control/messages.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

const CLIENTS = [1, 2];

/** A gateway with two peers that have shaken hands, and what its link has counted so far. */
async function world(): Promise<World> {
  // Identifications begin at the same number in each life.
  const made = new World(seededRng(7));
  await made.gateway();
  for (const n of CLIENTS) {
    const client = await made.client(n);
    client.send(echoPacket({ src: `10.77.0.${n + 1}`, dst: '10.77.0.1' }));
    made.settle();
    assert.equal(client.inbox.splice(0).length, 1);
  }
  return made;
}

const here = new URL('.', import.meta.url);
const texts = readdirSync(here)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => readFileSync(new URL(name, here), 'utf8'));
for (const story of texts.flatMap((text) => text.split(/^# /m).slice(1))) {
  const [title, ...lines] = story.trim().split('\n');
  test(title!, async () => {
    const made = await world();
    const expected = new Map<number, string[]>(CLIENTS.map((n) => [n, []]));
    const drops: { [reason: string]: number } = {};
    const counts: { [name: string]: number } = {};
    let link = '';
    for (const line of lines) {
      const [verb, what, value] = line.split(' ');
      if (verb === 'from') made.clients[Number(what) - 1]!.send(Uint8Array.fromHex(value!));
      else if (verb === 'to') expected.get(Number(what))!.push(value!);
      else if (verb === 'drop') drops[what!] = Number(value);
      else if (verb === 'count') counts[what!] = Number(value);
      else if (verb === 'do') {
        made.settle();
        await made.do(JSON.parse(line.slice(3)) as Action);
      } else if (verb === 'link') link = line;
      else assert.fail(`what is "${line}"?`);
    }
    made.settle();
    for (const n of CLIENTS) {
      const came = made.clients[n - 1]!.inbox.map((packet) => packet.toHex());
      assert.deepEqual(came, expected.get(n), `to ${n}`);
    }
    assert.deepEqual(made.drops(), drops);
    const { icmpErrors, mssClamped, fragmented, reassembled } = made.engine.counters();
    const others = Object.entries({ mssClamped, fragmented, reassembled }).filter(([, count]) => count > 0);
    assert.deepEqual({ ...icmpErrors, ...Object.fromEntries(others) }, counts);
    const { rxPackets, txPackets, drops: dropped } = made.engine.counters().links[0]!;
    const hands = CLIENTS.length;
    assert.equal(`link rx ${rxPackets - hands} tx ${txPackets - hands} drops ${dropped}`, link);
  });
}
