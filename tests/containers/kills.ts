/**
 * vrouterd is killed again and again while it makes 200 networks with ports and names, or takes them away, at moments that a seed says: what
 * the last one that is let live comes to is what one that was never killed does. A program for namespaces of its own: `kills.ts FIRST SEEDS KILLS`; says
 * `ok` at the end.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { contrast, difference, type Snapshot, snapshot } from './snapshot.ts';
import { World } from './world.ts';

const NETWORKS = 200;
const [first = 1, seeds = 2, kills = 12] = process.argv.slice(2).map(Number);

/** Chances that are the same each time (xorshift, 32 bits). */
function chances(seed: number): () => number {
  let state = seed * 2_654_435_761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** `some` of them, each with a port and a name in `variant`, which is what changes. */
function networks(some: number, variant: number): object[] {
  return Array.from({ length: some }, (_, i) => {
    const subnet = `10.${100 + variant}.${i}`;
    return [
      {
        kind: 'network',
        id: `n${i}`,
        attachment: 'bridged',
        interface: `br-n${i}`,
        subnets: [{ prefix: `${subnet}.0/24`, gateway: `${subnet}.1` }],
        internal: i % 7 === variant,
        ...(i % 4 === 0 ? (i % 7 === variant ? {} : { dnsServers: [] }) : { dns: false }),
      },
      { kind: 'publishedPort', hostPort: 10_000 + i, protocol: 'tcp', address: `${subnet}.2`, port: 80 + variant },
      ...(i % 4 === 0
        ? [{ kind: 'dnsName', network: `n${i}`, name: `web${variant}`, addresses: [`${subnet}.2`] }]
        : []),
    ];
  }).flat();
}

const world = new World();
await world.start();
const states = [networks(NETWORKS, 0), networks(NETWORKS >> 1, 1), networks(NETWORKS, 2), []] as const;

/** What one that nobody kills makes of each, the one after the other. */
const wanted: Snapshot[] = [];
for (const intents of states) {
  world.say(intents);
  const began = performance.now();
  await world.run();
  await world.settled();
  console.log(`${intents.length} intents, nobody kills: within ${Math.round(performance.now() - began)} ms`);
  wanted.push(snapshot());
  await world.kill('SIGTERM');
}
assert.match(wanted[0]!.table, /10199/);
assert.doesNotMatch(wanted[3]!.links, /br-n/);

/** Kills it some times, and sees what the next one comes to. */
async function round(seed: number): Promise<void> {
  const chance = chances(seed);
  for (let n = 0; n < kills; n++) {
    world.say(states[Math.floor(chance() * states.length)]!);
    world.spawn();
    // A start takes half a second before the first step, and the steps some seconds.
    await sleep(300 + chance() * 2500);
    const resolvers = world.resolvers();
    await world.kill();
    const dead = chance() < 0.3 ? resolvers.filter(() => chance() < 0.3) : [];
    for (const { pid } of dead) process.kill(pid, 'SIGKILL');
  }
  const end = Math.floor(chance() * states.length);
  world.say(states[end]!);
  const began = performance.now();
  await world.run();
  await world.settled();
  const ms = Math.round(performance.now() - began);
  console.log(`seed ${seed}, ${kills} kills, then ${states[end]!.length} intents: within ${ms} ms`);
  const now = snapshot();
  const what = (): string => `${contrast(now, wanted[end]!).slice(0, 40_000)}\n${world.log.slice(-2000)}`;
  assert.equal(difference(now, wanted[end]!), '', difference(now, wanted[end]!) && what());
  await world.kill();
}

try {
  for (let seed = first; seed < first + seeds; seed++) await round(seed);
} finally {
  await world.end();
}
console.log('ok');
process.exit(0);
