/** Whole graphs, packets in, packets and counters out, from text that people can read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storyHex } from '../testing/packets.testing.ts';
import { CLIENTS, playStory, readStories } from './stories.testing.ts';

for (const story of readStories())
  for (const workers of [1, 2, 3])
    test(`${story.title}, ${workers} workers`, async () => {
      const expected = new Map<number, string[]>(CLIENTS.map((n) => [n, []]));
      const drops: { [reason: string]: number } = {};
      const counts: { [name: string]: number } = {};
      let link = '';
      for (const line of story.lines) {
        const [verb, what, value] = line.split(' ');
        if (verb === 'to') expected.get(Number(what))!.push(value!);
        else if (verb === 'drop') drops[what!] = Number(value);
        else if (verb === 'count') counts[what!] = Number(value);
        else if (verb === 'link') link = line;
        else assert.ok(verb === 'from' || verb === 'do', `what is "${line}"?`);
      }
      const { came, counters } = await playStory(story, workers);
      for (const n of CLIENTS) {
        const hex = came[n - 1]!.map((packet) => storyHex(packet, workers));
        const told = expected.get(n)!.map((packet) => storyHex(Uint8Array.fromHex(packet), workers));
        assert.deepEqual(hex, told, `to ${n}`);
      }
      assert.deepEqual(counters.drops, drops);
      const { icmpErrors, mssClamped, fragmented, reassembled } = counters;
      const others = Object.entries({ mssClamped, fragmented, reassembled }).filter(([, count]) => count > 0);
      assert.deepEqual({ ...icmpErrors, ...Object.fromEntries(others) }, counts);
      const { rxPackets, txPackets, drops: dropped } = counters.links[0]!;
      const hands = CLIENTS.length;
      assert.equal(`link rx ${rxPackets - hands} tx ${txPackets - hands} drops ${dropped}`, link);
    });
