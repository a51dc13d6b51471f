/**
 * Stories of the nodes of an Ethernet port, as `pcap.test.ts` has them of the others: frames of `ethernet/<node>/in.pcap` come to the port
 * of 192.168.1.1 and fd88::1 (02:00:5e:00:00:01) at their times, `out.pcap` is what it says, at its times; then five more seconds pass.
 * Rewritten as those are.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { LINKTYPE_ETHERNET, parsePcap, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import type { Action } from '../control/messages.ts';
import { World } from '../testing/world.testing.ts';

const rewrite = process.env.VROUTER_GOLDEN === 'rewrite';
const folder = join(import.meta.dirname, 'ethernet');
const SNAP_LEN = 65_535;
/** The addresses are ours by then, and their announcements said. */
const QUIET_MS = 10_000;
const AFTER_MS = 5000;

interface Played {
  readonly file: Uint8Array;
  readonly results: string;
}

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
  for (const { unixMs, data } of parsePcap(input)!.packets) {
    until(unixMs);
    port.say(data);
    listen();
  }
  until(world.now - begun + AFTER_MS);
  const after = world.engine.counters();
  const [was, is] = [before.links[0]!, after.links[0]!];
  const lines = [
    ...Object.entries(after.drops).map(([reason, count]) => `drop ${reason} ${count - (before.drops[reason] ?? 0)}`),
    `link rx ${is.rxPackets - was.rxPackets} tx ${is.txPackets - was.txPackets} drops ${is.drops - was.drops}`,
    ...Object.entries(after.nodes)
      .map(([node, count]) => [node, count - before.nodes[node]!] as const)
      .filter(([, count]) => count > 0)
      .map(([node, count]) => `node ${node} ${count}`),
    ...world.engine.neighbours(10).neighbours.map((one) => `neighbour ${one.address} ${one.mac} ${one.state}`),
  ];
  const parts = [pcapHeader(LINKTYPE_ETHERNET, SNAP_LEN), ...records];
  return { file: Uint8Array.from(parts.flatMap((part) => [...part])), results: lines.join('\n') };
}

for (const node of ['ethernet-input', 'neighbour-input', 'ethernet-output', 'neighbour-lost'])
  test(`${node}: the frames of in.pcap become those of out.pcap`, async () => {
    const path = (name: string): string => join(folder, node, name);
    const lines = readFileSync(path('story.txt'), 'utf8').trimEnd().split('\n');
    const isResult = (line: string): boolean => /^(drop|link|node|neighbour) /.test(line);
    const kept = lines
      .filter((line) => !isResult(line))
      .join('\n')
      .trimEnd();
    const { file, results } = await play(kept, readFileSync(path('in.pcap')));
    assert.ok(new RegExp(`^node ${node} [1-9]`, 'm').test(results), 'the story visits its node');
    if (rewrite) {
      writeFileSync(path('out.pcap'), file);
      writeFileSync(path('story.txt'), `${kept}\n\n${results}\n`);
      return;
    }
    assert.equal(results, lines.filter(isResult).join('\n'));
    const said = (bytes: Uint8Array): string[] =>
      parsePcap(bytes)!.packets.map(({ unixMs, data }) => `${unixMs} ${data.toHex()}`);
    assert.deepEqual(said(file), said(readFileSync(path('out.pcap'))));
  });
