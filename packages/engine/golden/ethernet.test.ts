/**
 * Stories of the nodes of an Ethernet port, as `pcap.test.ts` has them of the others: frames of `ethernet/<node>/in.pcap` come to the port
 * of 192.168.1.1 and fd88::1 (02:00:5e:00:00:01) at their times, `out.pcap` is what it says, at its times; then five more seconds pass.
 * `at 300 kernel full`: takes nothing from then on, until it `takes` again. Rewritten as those are.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { LINKTYPE_ETHERNET, parsePcap, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import type { Action } from '../control/messages.ts';
import { World } from '../testing/world.testing.ts';
import { countedLines, foldersOf, joinBytes, type Played } from './folders.testing.ts';

const rewrite = process.env.VROUTER_GOLDEN === 'rewrite';
/** Lines that a rewrite makes anew. */
const RESULTS = /^(drop|link|node|neighbour) /;
const SNAP_LEN = 65_535;
/** The addresses are ours by then, and their announcements said. */
const QUIET_MS = 10_000;
const AFTER_MS = 5000;

async function play(kept: string, input: Uint8Array): Promise<Played> {
  const world = new World(seededRng(7));
  const port = await world.port();
  const actions = kept.split('\n').filter((line) => line.startsWith('do '));
  await world.do(...actions.map((line) => JSON.parse(line.slice(3)) as Action));
  world.pass(QUIET_MS);
  port.take();
  const begun = world.now;
  const before = world.engine.counters();
  const records: Uint8Array[] = [];
  const listen = (): void => {
    for (const frame of port.take()) records.push(pcapRecord(world.now - begun, frame, 0, frame.length, frame.length));
  };
  const until = (ms: number): void => {
    // Every millisecond alone, so that what is said has its time.
    while (world.now - begun < ms) {
      world.pass(1);
      listen();
    }
  };
  const frames = parsePcap(input)!.packets.map(({ unixMs, data }) => ({ at: unixMs, happens: () => port.say(data) }));
  const turns = [...kept.matchAll(/^at (\d+) kernel (full|takes)$/gm)].map(([, at, word]) => ({
    at: Number(at),
    happens: () => {
      port.full = word === 'full';
    },
  }));
  for (const { at, happens } of [...frames, ...turns].sort((a, b) => a.at - b.at)) {
    until(at);
    happens();
    listen();
  }
  until(world.now - begun + AFTER_MS);
  const lines = [
    ...countedLines(before, world.engine.counters()),
    ...world.engine.neighbours(10).neighbours.map((one) => `neighbour ${one.address} ${one.mac} ${one.state}`),
  ];
  return { file: joinBytes([pcapHeader(LINKTYPE_ETHERNET, SNAP_LEN), ...records]), results: lines.join('\n') };
}

for (const folder of foldersOf('ethernet'))
  test(`${folder.name}: the frames of in.pcap become those of out.pcap`, async () => {
    const { kept, results } = folder.story(RESULTS);
    const played = await play(kept, folder.read('in.pcap'));
    assert.ok(new RegExp(`^node ${folder.node} [1-9]`, 'm').test(played.results), 'the story visits its node');
    if (rewrite) {
      folder.rewrite(kept, played);
      return;
    }
    assert.equal(played.results, results);
    const said = (bytes: Uint8Array): string[] =>
      parsePcap(bytes)!.packets.map(({ unixMs, data }) => `${unixMs} ${data.toHex()}`);
    assert.deepEqual(said(played.file), said(folder.read('out.pcap')));
  });
