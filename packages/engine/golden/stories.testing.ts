/** The stories of this folder, and what a real gateway makes of them. */
import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { seededRng } from '@vrouter/core/rng.ts';
import type { Action, CountersReply } from '../control/messages.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';

export const CLIENTS = [1, 2] as const;

export interface Story {
  readonly title: string;
  readonly lines: readonly string[];
}

export interface Played {
  /** Inner packets that came to client 1 and to client 2. */
  readonly came: readonly (readonly Uint8Array[])[];
  readonly counters: CountersReply;
}

export function readStories(): Story[] {
  const here = new URL('.', import.meta.url);
  const texts = readdirSync(here)
    // host.txt has a host beside the clients, those of NAT a second link; they have tests of their own.
    .filter((name) => name.endsWith('.txt') && name !== 'host.txt' && !name.startsWith('nat'))
    .sort()
    .map((name) => readFileSync(new URL(name, here), 'utf8'));
  return texts
    .flatMap((text) => text.split(/^# /m).slice(1))
    .map((text) => {
      const [title, ...lines] = text.trim().split('\n');
      return { title: title!, lines };
    });
}

/** Does what the story's `do` and `from` say, in a world of its own whose two peers have shaken hands. */
export async function playStory(story: Story, workers: number = 1): Promise<Played> {
  const made = await world(workers);
  for (const line of story.lines) {
    const [verb, what, value] = line.split(' ');
    if (verb === 'from') made.clients[Number(what) - 1]!.send(Uint8Array.fromHex(value!));
    else if (verb === 'do') {
      made.settle();
      await made.do(JSON.parse(line.slice(3)) as Action);
    }
  }
  made.settle();
  return { came: made.clients.map((client) => client.inbox), counters: made.engine.counters() };
}

async function world(workers: number): Promise<World> {
  // Identifications begin at the same number in each life.
  const made = new World(seededRng(7), workers);
  await made.gateway();
  for (const n of CLIENTS) {
    const client = await made.client(n);
    client.send(echoPacket({ src: `10.77.0.${n + 1}`, dst: '10.77.0.1' }));
    made.settle();
    assert.equal(client.inbox.splice(0).length, 1);
  }
  return made;
}
