/**
 * Stories of the nodes: `nodes/<node>/in.pcap` goes in, `out.pcap` and the numbers in `story.txt` come out. After a change that is
 * meant, `VROUTER_GOLDEN=rewrite node --test packages/engine/golden/pcap.test.ts` writes what comes out now; read the difference.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePcap } from '@vrouter/wire/pcap/pcap.ts';
import { storyHex } from '../testing/packets.testing.ts';
import { foldersOf } from './folders.testing.ts';
import { playPcapStory, readPcapStory } from './pcap.testing.ts';

const rewrite = process.env.VROUTER_GOLDEN === 'rewrite';

for (const folder of foldersOf('nodes')) {
  const story = readPcapStory(folder);
  test(`${folder.name}: the packets of in.pcap become those of out.pcap`, async () => {
    const played = await playPcapStory(story, folder.read('in.pcap'), story.workers ?? 1);
    assert.ok(new RegExp(`^node ${folder.node} [1-9]`, 'm').test(played.results), 'the story visits its node');
    if (rewrite) {
      folder.rewrite(story.kept, played);
      return;
    }
    assert.equal(played.results, story.results);
    const hex = (bytes: Uint8Array): string[] => parsePcap(bytes)!.packets.map(({ data }) => data.toHex());
    assert.deepEqual(hex(played.file), hex(folder.read('out.pcap')));
    assert.deepEqual(played.file, folder.read('out.pcap'));
  });
  for (const workers of story.workers === null ? [2, 3] : [])
    test(`${folder.name}: the same from ${workers} workers`, { skip: rewrite }, async () => {
      const { file, results } = await playPcapStory(story, folder.read('in.pcap'), workers);
      const told = (bytes: Uint8Array): string[] =>
        parsePcap(bytes)!.packets.map(({ data }) => storyHex(data, workers));
      assert.deepEqual(told(file), told(folder.read('out.pcap')));
      // A packet that changes its worker is counted by nodes of both.
      const sums = (text: string): string[] => text.split('\n').filter((line) => !line.startsWith('node '));
      assert.deepEqual(sums(results), sums(story.results));
    });
}
