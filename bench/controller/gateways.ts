/**
 * Thousands of gateways in one process, as the controller sees them: each with a key, a certificate and a kept TLS connection of its own,
 * polling every five seconds at a phase of its own, and coming back with full jitter when it is refused.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { registerReply } from '@vrouter/api/agent/agent.ts';
import {
  discover,
  type Joining,
  makeRequest,
  parseJoin,
  register,
  TestGateway,
  wireguardKey,
} from '../../programs/controller/testing/gateway.ts';
import type { Answer, Measured, Order } from './messages.ts';

const POLL_MS = 5000;
/** Joins that are on their way at once. */
const JOINING = 16;
/** As vrouterd waits after a failure: full jitter, doubling. */
const BACKOFF_MS = 1000;
const BACKOFF_MAX_MS = 15_000;

const stats = { epoch: 'bench', peers: [], drops: { noRoute: 1 }, objects: 10, reconciles: 1, driftRepaired: 0 };
const gateways: TestGateway[] = [];
let took: number[] = [];
let failed = 0;
/** Those that have had no good answer since the last order to all. */
let missing = new Set<TestGateway>();
let reached: () => void = () => {};
let root: string | null = null;

function tell(answer: Answer): void {
  process.send!(answer);
}

async function join(text: string): Promise<TestGateway> {
  const { url, token, fingerprint } = parseJoin(text);
  root ??= (await discover(url, fingerprint)).rootCertificate;
  const joining: Joining = { url, token, root, request: await makeRequest(), wireguardPublicKey: wireguardKey() };
  const answer = await register(joining);
  if (answer.status !== 200) throw new Error(`join: ${answer.status} ${JSON.stringify(answer.json)}`);
  return new TestGateway(joining, registerReply.parse(answer.json));
}

async function pollForEver(gateway: TestGateway): Promise<never> {
  await sleep(Math.random() * POLL_MS);
  for (let failures = 0; ; ) {
    const began = performance.now();
    try {
      const answer = await gateway.send(gateway.next({ stats, appliedVersion: gateway.storedVersion }));
      if (answer.status === 409) {
        gateway.nonce = (answer.json as { nextNonce: string }).nextNonce;
        continue;
      }
      if (answer.status !== 200) throw new Error(`poll: ${answer.status}`);
      gateway.take(answer);
      failures = 0;
      took.push(performance.now() - began);
      if (missing.delete(gateway)) reached();
      await sleep(POLL_MS - ((performance.now() - began) % POLL_MS));
    } catch {
      failed++;
      await sleep(Math.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** failures++));
    }
  }
}

async function joinAll(joins: readonly string[]): Promise<void> {
  const left = [...joins];
  const work = async (): Promise<void> => {
    for (let text = left.pop(); text !== undefined; text = left.pop()) {
      const gateway = await join(text);
      gateways.push(gateway);
      void pollForEver(gateway);
    }
  };
  await Promise.all(Array.from({ length: JOINING }, work));
  tell({ is: 'joined', gateways: gateways.length });
}

async function measure(ms: number): Promise<void> {
  took = [];
  failed = 0;
  await sleep(ms);
  tell({ is: 'measured', ...measured() });
}

function measured(): Measured {
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { polls: sorted.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function all(): Promise<void> {
  const began = performance.now();
  failed = 0;
  missing = new Set(gateways);
  const marks = [0.5, 0.01, 0].map((share) => share * gateways.length);
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    reached = () => {
      while (times.length < marks.length && missing.size <= marks[times.length]!) times.push(performance.now() - began);
      if (times.length === marks.length) resolve();
    };
    reached();
  });
  reached = () => {};
  tell({ is: 'all', halfMs: times[0]!, mostMs: times[1]!, allMs: times[2]!, failed });
}

async function follow(text: string, changes: number): Promise<void> {
  const gateway = await join(text);
  await gateway.poll();
  tell({ is: 'joined', gateways: 1 });
  for (let left = changes; left > 0; ) {
    const reply = await gateway.poll({ waitMs: 25_000, appliedVersion: gateway.storedVersion });
    if (reply.ops.length === 0) continue;
    left--;
    tell({ is: 'heard', version: reply.version, atUnixMs: performance.timeOrigin + performance.now() });
  }
  gateway.close();
}

async function obey(order: Order): Promise<void> {
  if (order.do === 'join') return joinAll(order.joins);
  if (order.do === 'measure') return measure(order.ms);
  if (order.do === 'all') return all();
  return follow(order.join, order.changes);
}

let last: Promise<void> = Promise.resolve();
process.on('message', (order: Order) => {
  last = last.then(() => obey(order));
});
process.on('disconnect', () => process.exit());
