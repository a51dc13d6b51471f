/** How many gateways a controller on one core holds, how it takes a restart, and what one change costs among 100 to 10,000 peers. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { wireguardKey } from '../programs/controller/testing/gateway.ts';
import { ControllerProcess } from '../programs/controller/testing/spawn.ts';
import { programPath } from '../tests/world/needs.ts';
import type { Answer, Order } from './controller/messages.ts';
import { cpuSeconds } from './cpu.ts';
import type { BenchResult } from './result.ts';

/** Gateways in turn, each polling every five seconds; `VROUTER_BENCH_GATEWAYS=100,500` for a short look. */
const STEPS = (process.env.VROUTER_BENCH_GATEWAYS ?? '1000,2500,5000').split(',').map(Number);
const MEASURE_MS = 15_000;
/** An answer that takes longer than this, for one in a hundred, is no answer of a controller that holds them. */
const HOLDS_MS = 500;
const PEERS = [100, 1000, 10_000] as const;
const CHANGES = 100;
const CONTROLLER_CORE = '0';
const GATEWAYS_CORE = '1';
/** REST calls that are on their way at once while things are set up. */
const CALLS = 8;
const gatewaysMain = fileURLToPath(new URL('controller/gateways.ts', import.meta.url));

type Of<K extends Answer['is']> = Extract<Answer, { is: K }>;

/** The process of simulated gateways. */
class Gateways {
  readonly #child: ChildProcess = fork(gatewaysMain, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  readonly #answers: Answer[] = [];
  #wake: () => void = () => {};

  constructor() {
    this.#child.on('message', (answer: Answer) => {
      this.#answers.push(answer);
      this.#wake();
    });
    pin(this.#child.pid!, GATEWAYS_CORE);
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async next<K extends Answer['is']>(is: K): Promise<Of<K>> {
    while (this.#answers.length === 0)
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        this.#child.once('exit', () => reject(new Error('the process of gateways has ended')));
      });
    this.#child.removeAllListeners('exit');
    const answer = this.#answers.shift()!;
    if (answer.is !== is) throw new Error(`expected ${is}, heard ${JSON.stringify(answer)}`);
    return answer as Of<K>;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

function pin(pid: number, core: string): void {
  const taskset = programPath('taskset');
  if (availableParallelism() > 1 && taskset !== null)
    execFileSync(taskset, ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' });
}

async function made<T>(controller: ControllerProcess, path: string, body: object): Promise<T> {
  const { status, json } = await controller.call('POST', path, body);
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${JSON.stringify(json)}`);
  return json as T;
}

async function vrouter(controller: ControllerProcess, name: string, networks?: readonly string[]): Promise<string> {
  const body = networks === undefined ? { name } : { name, networks };
  return (await made<{ join: { string: string } }>(controller, '/v1/vrouters', body)).join.string;
}

/** Does the work for each number below `count`, several at a time. */
async function many(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: CALLS }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

async function capacity(controller: ControllerProcess, gateways: Gateways): Promise<Record<string, number>> {
  const numbers: Record<string, number> = { gateways: 0 };
  let there = 0;
  for (const step of STEPS) {
    const joins: string[] = [];
    await many(step - there, async (n) => void joins.push(await vrouter(controller, `gw-${there + n}`)));
    const began = performance.now();
    gateways.order({ do: 'join', joins });
    await gateways.next('joined');
    numbers.joins_per_s = Math.round((1000 * joins.length) / (performance.now() - began));
    there = step;
    const before = cpuSeconds(controller.child.pid!);
    gateways.order({ do: 'measure', ms: MEASURE_MS });
    const { polls, failed, p50Ms, p99Ms } = await gateways.next('measured');
    const cpu = ((cpuSeconds(controller.child.pid!) - before) * 100_000) / MEASURE_MS;
    numbers[`p50_ms_${step}`] = round(p50Ms);
    numbers[`p99_ms_${step}`] = round(p99Ms);
    numbers[`cpu_percent_${step}`] = Math.round(cpu);
    numbers[`polls_per_s_${step}`] = Math.round((1000 * polls) / MEASURE_MS);
    if (failed > 0 || p99Ms > HOLDS_MS) break;
    numbers.gateways = step;
    numbers.p99_ms = round(p99Ms);
  }
  return numbers;
}

/** From a change's request until its gateway has heard of it, by the number of peers that there are; ms. */
async function change(controller: ControllerProcess, gateways: Gateways, peers: number): Promise<number> {
  const name = `peers-${peers}`;
  const path = `/v1/vrouters/${name}/peers`;
  const joining = await vrouter(controller, name, ['10.0.0.0/8']);
  await many(peers, async (n) => void (await made(controller, path, { name: `p${n}`, publicKey: wireguardKey() })));
  gateways.order({ do: 'follow', join: joining, changes: CHANGES });
  await gateways.next('joined');
  const took: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const began = performance.timeOrigin + performance.now();
    const answered = made(controller, path, { name: `more${n}`, publicKey: wireguardKey() });
    const { atUnixMs } = await gateways.next('heard');
    await answered;
    took.push(atUnixMs - began);
  }
  return took.toSorted((a, b) => a - b)[CHANGES / 2]!;
}

export async function run(): Promise<BenchResult> {
  const data = mkdtempSync(join(tmpdir(), 'vrouter-bench-'));
  let controller = await ControllerProcess.start(data);
  const gateways = new Gateways();
  try {
    pin(controller.child.pid!, CONTROLLER_CORE);
    const curve: Record<string, number> = {};
    for (const peers of PEERS) curve[`change_ms_${peers}`] = round(await change(controller, gateways, peers));
    const numbers = await capacity(controller, gateways);
    const ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)] as const;
    await controller.end('SIGKILL');
    gateways.order({ do: 'all' });
    controller = await ControllerProcess.start(data, ports);
    pin(controller.child.pid!, CONTROLLER_CORE);
    const { halfMs, mostMs, allMs } = await gateways.next('all');
    return {
      bench: 'controller',
      real: false,
      ours: {
        ...numbers,
        ...curve,
        // How many times dearer a change is among 10,000 peers than among 100.
        curve: round(curve.change_ms_10000! / curve.change_ms_100!),
        back_half_s: round(halfMs / 1000),
        back_99_percent_s: round(mostMs / 1000),
        back_all_s: round(allMs / 1000),
      },
      peers: {},
      ratio: {},
      note: `one poll in five seconds and gateway, each with its own certificate and kept connection; holds: 99 of 100 answered within ${HOLDS_MS} ms; after kill -9 they come back with full jitter; load average ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]}`,
    };
  } finally {
    gateways.close();
    await controller.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

function round(ms: number): number {
  return Number(ms.toFixed(1));
}
