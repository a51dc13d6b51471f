/** tshark on every packet that the golden stories' gateways emit: nothing malformed, no checksum bad. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { foldersOf } from '@vrouter/engine/golden/folders.testing.ts';
import { playStory, readStories } from '@vrouter/engine/golden/stories.testing.ts';
import { vnetFrame } from '@vrouter/engine/golden/vnet.testing.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, parsePcap, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import { cut } from '@vrouter/wire/virtio-net/rounds.testing.ts';
import { needs, programPath } from '../world/needs.ts';

const SNAP_LEN = 0xffff;
const BAD = 0;
const protocols = ['ip', 'icmp', 'icmpv6', 'udp', 'tcp'];
const wrong = ['_ws.malformed', ...protocols.map((name) => `${name}.checksum.status == ${BAD}`)].join(' || ');
// What lies in UDP and TCP is the clients', and no protocol. Stories use identifications again, so pieces stay pieces.
const options = [
  ...['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]),
  ...['ip', 'ipv6'].flatMap((name) => ['-o', `${name}.defragment:FALSE`]),
  ...['udp.port==4000', 'udp.port==5000', 'tcp.port==80'].flatMap((port) => ['-d', `${port},data`]),
];

/** Frame numbers that tshark finds wrong, and how many frames it read. */
function judge(
  packets: readonly Uint8Array[],
  linkType: number = LINKTYPE_RAW,
): { wrong: readonly string[]; frames: number } {
  const folder = mkdtempSync(join(tmpdir(), 'vr-tshark-'));
  try {
    const file = join(folder, 'out.pcap');
    const records = packets.map((packet, i) =>
      pcapRecord(1_700_000_000_000 + i, packet, 0, packet.length, packet.length),
    );
    writeFileSync(file, Buffer.concat([pcapHeader(linkType, SNAP_LEN), ...records]));
    const tshark = (...args: readonly string[]): string[] =>
      execFileSync(programPath('tshark')!, ['-r', file, '-n', ...options, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
        .split('\n')
        .filter((line) => line !== '');
    const frames = tshark('-T', 'fields', '-e', 'frame.number').length;
    return { wrong: tshark('-Y', wrong), frames };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('everything that the gateways of the golden stories emit', {
  skip: needs('tshark'),
  timeout: 60_000,
}, async () => {
  const packets: Uint8Array[] = [];
  for (const story of readStories()) packets.push(...(await playStory(story)).came.flat());
  assert.ok(packets.length > 50, `${packets.length} packets`);
  assert.deepEqual(judge(packets), { wrong: [], frames: packets.length });
});

test('everything that comes out of the stories of nodes, super-packets as what they stand for', {
  skip: needs('tshark'),
  timeout: 60_000,
}, () => {
  const packets: Uint8Array[] = [];
  for (const folder of foldersOf('nodes')) {
    const [to] = folder.story(/^to\b/).results.split('\n');
    const words = to!.split(' ').slice(1);
    for (const [i, { data }] of parsePcap(folder.read('out.pcap'))!.packets.entries()) {
      const [, ...header] = words[i]!.split(':');
      packets.push(...(header.length === 0 ? [data] : cut(vnetFrame(data, header.join(':')))));
    }
  }
  assert.ok(packets.length > 150, `${packets.length} packets`);
  const { wrong: found, frames } = judge(packets);
  assert.equal(frames, packets.length);
  // One that its sender spoiled; a router leaves that to the receiver.
  assert.deepEqual(
    found.map((line) => /TCP.*40013/.test(line)),
    [true],
    found.join('\n'),
  );
});

test('everything that an Ethernet port says in its stories', { skip: needs('tshark'), timeout: 60_000 }, () => {
  const folder = join(import.meta.dirname, '../../packages/engine/golden/ethernet');
  const frames = readdirSync(folder).flatMap(
    (node) => parsePcap(readFileSync(join(folder, node, 'out.pcap')))!.packets,
  );
  assert.ok(frames.length > 30, `${frames.length} frames`);
  const said = frames.map(({ data }) => data);
  assert.deepEqual(judge(said, LINKTYPE_ETHERNET), { wrong: [], frames: said.length });
  // A neighbour advertisement whose checksum is not right.
  const spoiled = said.find((frame) => frame[12] === 0x86 && frame[54] === 136)!;
  spoiled[57]! ^= 0x55;
  assert.equal(judge(said, LINKTYPE_ETHERNET).wrong.length, 1);
});

test('the judge does find what is wrong', { skip: needs('tshark'), timeout: 60_000 }, async () => {
  const story = readStories().find(({ title }) => title.startsWith('an echo request that expires'));
  assert.ok(story !== undefined);
  const packets = (await playStory(story)).came.flat();
  // The checksum of an IPv4 header, of an ICMP message, of an ICMPv6 message; and an ICMP header cut short.
  for (const [i, at] of [
    [0, 10],
    [1, 22],
    [2, 42],
  ] as const)
    packets[i]![at]! ^= 0x55;
  const short = Uint8Array.fromHex('450000180001000040010000c0000201c000020203000000');
  assert.equal(judge([...packets, short]).wrong.length, packets.length + 1);
});
