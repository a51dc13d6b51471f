/** The stories of `nodes/`, and what a real gateway makes of them. */
import { strict as assert } from 'node:assert';
import { makeEndpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { seededRng } from '@vrouter/core/rng.ts';
import { IPV4_MIN_LEN, IPV4_SRC_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { LINKTYPE_RAW, parsePcap, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import { UDP_LEN } from '@vrouter/wire/udp/udp.ts';
import type { Action, CountersReply } from '../control/messages.ts';
import type { MemoryTun } from '../ports/tun/memory.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { GATEWAY_IP, LISTEN_PORT, World } from '../testing/world.testing.ts';
import { countedLines, type Folder, joinBytes, type Played } from './folders.testing.ts';
import { vnetFrame, vnetTold } from './vnet.testing.ts';

const CLIENTS = [1, 2];
const SNAP_LEN = 65_535;
/** Lines that a rewrite makes anew. */
const RESULTS = /^(to|drop|link|node)\b/;
/** Lines that say what happens; the others are for the reader. */
const STEP = /^(do|from|wait|kernel|socket|host|workers) ?/;

interface Came {
  readonly to: string;
  readonly packet: Uint8Array;
}

export interface PcapStory {
  /** What it tells, and the lines that a rewrite keeps. */
  readonly kept: string;
  readonly steps: readonly (readonly string[])[];
  /** What is expected: `to`, `drop`, `link`, `node` lines. */
  readonly results: string;
  /** How many workers it is about; null when that makes no difference. */
  readonly workers: number | null;
}

export function readPcapStory(folder: Folder): PcapStory {
  const { kept, results } = folder.story(RESULTS);
  const lines = kept.split('\n').filter((line) => STEP.test(line));
  const steps = lines.map((line) => (line.startsWith('do ') ? ['do', line.slice(3)] : line.split(' ')));
  const workers = steps.find(([verb]) => verb === 'workers')?.[1];
  return { kept, steps, results, workers: workers === undefined ? null : Number(workers) };
}

/** What comes out of a story: a file, and lines of numbers. */
export async function playPcapStory(story: PcapStory, input: Uint8Array, workers: number): Promise<Played> {
  const player = new Player(parsePcap(input)!.packets.map(({ data }) => data));
  await player.begin(story.steps, workers);
  for (const step of story.steps) await player.step(step);
  return player.end();
}

class Player {
  readonly #packets: readonly Uint8Array[];
  #next = 0;
  #world!: World;
  #before!: CountersReply;
  /** By the word that a story has for them. */
  readonly #came = new Map<string, Came[]>(['host', ...CLIENTS.map(String)].map((who) => [who, []]));

  constructor(packets: readonly Uint8Array[]) {
    this.#packets = packets;
  }

  /** A gateway with two peers that have shaken hands, and a host if the story has one. */
  async begin(steps: readonly (readonly string[])[], workers: number): Promise<void> {
    const ring = steps.find(([verb]) => verb === 'workers')?.[3];
    // Identifications begin at the same number in each life.
    const world = new World(seededRng(7), workers, ring === undefined ? undefined : Number(ring));
    this.#world = world;
    await world.gateway();
    for (const n of CLIENTS) {
      const client = await world.client(n);
      client.send(echoPacket({ src: `10.77.0.${n + 1}`, dst: '10.77.0.1' }));
      world.settle();
      assert.equal(client.inbox.splice(0).length, 1);
    }
    const host = steps.find(([verb]) => verb === 'host');
    if (host !== undefined) {
      const [, ...kinds] = host;
      if (kinds.length > 0) world.host.offloads = { tcp: kinds.includes('tcp'), udp: kinds.includes('udp') };
      await world.hostInterface();
    }
    this.#before = world.engine.counters();
  }

  async step([verb, ...words]: readonly string[]): Promise<void> {
    if (verb === 'do') await this.#world.do(JSON.parse(words[0]!) as Action);
    else if (verb === 'wait') this.#world.pass(Number(words[0]));
    else if (verb === 'kernel') this.#setKernel(words[0]!);
    else if (verb === 'socket') this.#setSocket(words[0]!);
    else if (verb === 'from') for (const who of words) this.#say(who);
  }

  end(): Played {
    assert.equal(this.#next, this.#packets.length, 'a sender for each packet');
    const came = [...this.#came.values()].flat();
    const now = this.#world.clock.unixMs();
    const records = came.map(({ packet }) => pcapRecord(now, packet, 0, packet.length, packet.length));
    const lines = [
      `to ${came.map(({ to }) => to).join(' ')}`.trimEnd(),
      ...countedLines(this.#before, this.#world.engine.counters()),
    ];
    return { file: joinBytes([pcapHeader(LINKTYPE_RAW, SNAP_LEN), ...records]), results: lines.join('\n') };
  }

  /** Has somebody send the next packet; `WHO*N`: the next N at once, so that they come in one batch. */
  #say(words: string): void {
    const [said, times = '1'] = words.split('*');
    const [who, ...header] = said!.split(':');
    const packets = this.#packets.slice(this.#next, this.#next + Number(times));
    this.#next += Number(times);
    if (who === 'host') this.#sayOnHost(packets, header.join(':'));
    else if (who === 'outside') for (const packet of packets) this.#sayOutside(packet);
    else this.#world.clients[Number(who) - 1]!.sendAll(packets);
    this.#world.settle();
    this.#listen();
  }

  #sayOnHost(packets: readonly Uint8Array[], header: string): void {
    const shared = this.#world.host.offloads !== null;
    this.#host().say(...packets.map((packet) => (shared ? vnetFrame(packet, header) : packet)));
  }

  /** A UDP datagram as it travels, IPv4 header and all: its payload comes to the gateway's socket. */
  #sayOutside(packet: Uint8Array): void {
    const gateway = parseEndpoint(`${GATEWAY_IP}:${LISTEN_PORT}`);
    assert.ok(gateway.ok);
    const port = new DataView(packet.buffer, packet.byteOffset).getUint16(IPV4_MIN_LEN);
    const from = makeEndpoint(packet.slice(IPV4_SRC_AT, IPV4_SRC_AT + 4), port);
    this.#world.network.pass(from, gateway.value, packet.slice(IPV4_MIN_LEN + UDP_LEN));
  }

  /** Devices come and go with their link. */
  #host(): MemoryTun {
    return this.#world.host.devices.get('host0')!;
  }

  #listen(): void {
    for (const n of CLIENTS)
      for (const packet of this.#world.clients[n - 1]!.inbox.splice(0))
        this.#came.get(`${n}`)!.push({ to: `${n}`, packet });
    for (const frame of this.#world.host.devices.get('host0')?.received.splice(0) ?? []) {
      const { packet, word } = this.#world.host.offloads === null ? { packet: frame, word: '' } : vnetTold(frame);
      this.#came.get('host')!.push({ to: word === '' ? 'host' : `host:${word}`, packet });
    }
  }

  #setKernel(word: string): void {
    const host = this.#host();
    host.full = word === 'full';
    host.picky = word === 'picky';
  }

  #setSocket(word: string): void {
    assert.ok(word === 'taken' || word === 'full' || word === 'refused', `what is "${word}"?`);
    this.#world.network.fate = (from) => (from.text.startsWith(`${GATEWAY_IP}:`) ? word : 'taken');
  }
}
