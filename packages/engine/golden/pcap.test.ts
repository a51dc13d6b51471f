/**
 * A story for every node: `nodes/<node>/in.pcap` goes in, `out.pcap` and the numbers in `story.txt` come out. After a change that is
 * meant, `VROUTER_GOLDEN=rewrite node --test packages/engine/golden/pcap.test.ts` writes what comes out now; read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { LINKTYPE_RAW, parsePcap, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import type { Action } from '../control/messages.ts';
import { nodeNames } from '../graph/graph.ts';
import { echoPacket, storyHex } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

const rewrite = process.env.VROUTER_GOLDEN === 'rewrite';
const folder = join(import.meta.dirname, 'nodes');
const CLIENTS = [1, 2];
const SNAP_LEN = 65_535;
/** Nodes without a story here, and why. */
const waiting: { readonly [node: string]: string } = {
  'tun-input': 'what it takes comes from a host, which these worlds do not have: host.txt tells its stories',
  'tun-output': 'what it gives goes to a host: host.txt',
  'ethernet-input': 'of an Ethernet port, as the next three: ethernet.test.ts',
  'neighbour-input': 'ethernet.test.ts',
  'ethernet-output': 'ethernet.test.ts',
  'neighbour-lost': 'ethernet.test.ts',
};

interface Story {
  /** What it tells, and the lines that a rewrite keeps. */
  readonly kept: string;
  readonly actions: readonly Action[];
  /** Who sends each packet of in.pcap. */
  readonly from: readonly number[];
  /** What is expected: `to`, `drop`, `link`, `node` lines. */
  readonly results: string;
}

function readStory(path: string): Story {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const isResult = (line: string): boolean => /^(to|drop|link|node)\b/.test(line);
  const kept = lines.filter((line) => !isResult(line));
  const from = kept.find((line) => line.startsWith('from '))!;
  return {
    kept: kept.join('\n').trimEnd(),
    actions: kept.filter((line) => line.startsWith('do ')).map((line) => JSON.parse(line.slice(3)) as Action),
    from: from.split(' ').slice(1).map(Number),
    results: lines.filter(isResult).join('\n'),
  };
}

/** A gateway with two peers that have shaken hands. */
async function makeWorld(actions: readonly Action[], workers: number): Promise<World> {
  // Identifications begin at the same number in each life.
  const world = new World(seededRng(7), workers);
  await world.gateway();
  for (const n of CLIENTS) {
    const client = await world.client(n);
    client.send(echoPacket({ src: `10.77.0.${n + 1}`, dst: '10.77.0.1' }));
    world.settle();
    assert.equal(client.inbox.splice(0).length, 1);
  }
  await world.do(...actions);
  return world;
}

/** What comes out of a story: a file, and lines of numbers. */
async function play(
  story: Story,
  input: Uint8Array,
  workers: number = 1,
): Promise<{ readonly file: Uint8Array; readonly results: string }> {
  const world = await makeWorld(story.actions, workers);
  const before = world.engine.counters();
  const packets = parsePcap(input)!.packets;
  assert.equal(packets.length, story.from.length, 'a sender for each packet');
  for (const [i, { data }] of packets.entries()) {
    world.clients[story.from[i]! - 1]!.send(data);
    world.settle();
  }
  const came = CLIENTS.flatMap((n) => world.clients[n - 1]!.inbox.map((packet) => ({ n, packet })));
  const records = came.map(({ packet }) => pcapRecord(world.clock.unixMs(), packet, 0, packet.length, packet.length));
  const after = world.engine.counters();
  const [was, is] = [before.links[0]!, after.links[0]!];
  const lines = [
    `to ${came.map(({ n }) => n).join(' ')}`.trimEnd(),
    ...Object.entries(after.drops).map(([reason, count]) => `drop ${reason} ${count - (before.drops[reason] ?? 0)}`),
    `link rx ${is.rxPackets - was.rxPackets} tx ${is.txPackets - was.txPackets} drops ${is.drops - was.drops}`,
    ...Object.entries(after.nodes)
      .map(([node, count]) => [node, count - before.nodes[node]!] as const)
      .filter(([, count]) => count > 0)
      .map(([node, count]) => `node ${node} ${count}`),
  ];
  const parts = [pcapHeader(LINKTYPE_RAW, SNAP_LEN), ...records];
  return { file: Uint8Array.from(parts.flatMap((part) => [...part])), results: lines.join('\n') };
}

for (const node of nodeNames) {
  if (node in waiting) continue;
  test(`${node}: the packets of in.pcap become those of out.pcap`, async () => {
    const path = (name: string): string => join(folder, node, name);
    assert.ok(existsSync(path('in.pcap')), `${node} has no story in golden/nodes; the README says how to write one`);
    const story = readStory(path('story.txt'));
    const { file, results } = await play(story, readFileSync(path('in.pcap')));
    assert.ok(new RegExp(`^node ${node} [1-9]`, 'm').test(results), 'the story visits its node');
    if (rewrite) {
      writeFileSync(path('out.pcap'), file);
      writeFileSync(path('story.txt'), `${story.kept}\n\n${results}\n`);
      return;
    }
    assert.equal(results, story.results);
    const hex = (bytes: Uint8Array): string[] => parsePcap(bytes)!.packets.map(({ data }) => data.toHex());
    assert.deepEqual(hex(file), hex(readFileSync(path('out.pcap'))));
    assert.deepEqual(file, new Uint8Array(readFileSync(path('out.pcap'))));
  });
  for (const workers of [2, 3])
    test(`${node}: the same from ${workers} workers`, { skip: rewrite }, async () => {
      const path = (name: string): string => join(folder, node, name);
      const story = readStory(path('story.txt'));
      const { file, results } = await play(story, readFileSync(path('in.pcap')), workers);
      const told = (bytes: Uint8Array): string[] =>
        parsePcap(bytes)!.packets.map(({ data }) => storyHex(data, workers));
      assert.deepEqual(told(file), told(readFileSync(path('out.pcap'))));
      // A packet that changes its worker is counted by nodes of both.
      const sums = (text: string): string[] => text.split('\n').filter((line) => !line.startsWith('node '));
      assert.deepEqual(sums(results), sums(story.results));
    });
}
