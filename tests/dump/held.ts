/**
 * An engine in this process with its control server, thousands of peers that have endpoints, and how long one turn of the event loop keeps the thread busy
 * while somebody looks at the tables. CPU time of the thread, not of the clock: whoever else uses the machine does not count.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { ControlSession, hello } from '@vrouter/engine/control/session.ts';
import { Engine } from '@vrouter/engine/engine.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { fingerprint, generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import type * as Koffi from 'koffi';
import { pino } from 'pino';
import { Alarm } from '../../programs/engine/alarm.ts';
import { ControlServer } from '../../programs/engine/server.ts';
import type { Looked } from './looker.ts';
import { manyPeers } from './peers.ts';

const WINDOW_MS = 250;
/** linux/time.h */
const CLOCK_THREAD_CPUTIME_ID = 3;

const lookerMain = new URL('looker.ts', import.meta.url).pathname;

export interface Held extends Looked {
  /** CPU milliseconds of the longest turn in each window of the time, all of which hold a look or more. */
  readonly longestMs: readonly number[];
}

export class BusyEngine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vr-held-'));
  readonly #engine: Engine;
  readonly #server: ControlServer;
  readonly #alarm: Alarm;

  constructor() {
    const clock = systemClock();
    this.#alarm = new Alarm(() => this.#engine.alarm(), clock.now);
    this.#engine = new Engine(
      {
        clock,
        crypto: systemCrypto(),
        rng: systemRng(),
        fingerprint,
        openUdp,
        setAlarm: (at) => this.#alarm.set(at),
        pause: () => new Promise((resolve) => setImmediate(resolve)),
      },
      'held',
    );
    this.#server = new ControlServer({
      path: this.#path,
      session: new ControlSession(this.#engine),
      target: this.#engine,
      hello: hello('0', process.pid, this.#engine.epoch),
      log: pino({ level: 'silent' }),
      onStop: () => {},
    });
  }

  get #path(): string {
    return join(this.#folder, 'engine.sock');
  }

  async start(peers: number): Promise<void> {
    await this.#server.start();
    await this.#do(
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: generatePrivateKey().toBase64() },
    );
    for (const actions of manyPeers('wg0', peers)) await this.#do(...actions);
  }

  /** Looks at everything (`all`), or at each peer by its name, again and again for so long. */
  async watch(what: 'all' | 'named', seconds: number): Promise<Held> {
    const looker: ChildProcess = fork(lookerMain, [this.#path, what, '20']);
    await once(looker, 'message');
    const longestMs = new Float64Array(Math.ceil((seconds * 1000) / WINDOW_MS));
    const threadCpuMs = threadClock();
    const began = performance.now();
    let going = true;
    let before = threadCpuMs();
    const turn = (): void => {
      const now = threadCpuMs();
      const window = Math.floor((performance.now() - began) / WINDOW_MS);
      if (now - before > longestMs[window]!) longestMs[window] = now - before;
      before = now;
      if (going) setImmediate(turn);
    };
    setImmediate(turn);
    await sleep(seconds * 1000);
    going = false;
    looker.send('stop');
    const [looked] = (await once(looker, 'message')) as [Looked];
    await once(looker, 'exit');
    return { ...looked, longestMs: [...longestMs] };
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await this.#engine.close();
    this.#alarm.cancel();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #do(...actions: readonly Action[]): Promise<void> {
    for (const problem of await this.#engine.apply(actions)) if (problem !== null) throw new Error(problem.message);
  }
}

/**
 * CPU milliseconds of this thread so far (clock_gettime(2), CLOCK_THREAD_CPUTIME_ID). `process.threadCpuUsage` moves in steps of a tick of the
 * kernel, 4 ms.
 */
function threadClock(): () => number {
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  const clockGettime = koffi.load(null).func('clock_gettime', 'int', ['int', 'void *']);
  const time = new BigInt64Array(2);
  return () => {
    clockGettime(CLOCK_THREAD_CPUTIME_ID, time);
    return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
  };
}
