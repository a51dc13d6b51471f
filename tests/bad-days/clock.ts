/** A wall clock of a test's own for the programs of a network, which it sets while they run. */
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Launch } from '../../programs/demo/world/network.ts';

/** Wall clocks of the programs that it runs (libfaketime); monotonic ones stay true. */
export class Clock {
  readonly #path: string;
  readonly #preload: string;

  /** `hours`: how far ahead they begin. */
  constructor(folder: string, hours = 0) {
    this.#path = join(folder, 'clock');
    this.#preload = /^LD_PRELOAD=(.+)$/m.exec(execFileSync('faketime', ['-f', '+0', 'env'], { encoding: 'utf8' }))![1]!;
    this.#write(hours);
  }

  /** Sets them so many hours ahead, and waits until programs that run have seen it. */
  async set(hours: number): Promise<void> {
    this.#write(hours);
    // libfaketime looks each second, and counts in whole ones.
    await delay(2200);
  }

  #write(hours: number): void {
    // Whoever looks meanwhile finds the old file or the new one.
    writeFileSync(`${this.#path}.new`, `+${hours * 3600}s\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }

  under(plain: Launch): Launch {
    const env = {
      ...process.env,
      LD_PRELOAD: this.#preload,
      FAKETIME_TIMESTAMP_FILE: this.#path,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    return { ...plain, env };
  }
}
