/** Processes that are none, for tests of the driver: they read the files when they are told to, and die when a test says so. */
import { existsSync, readFileSync } from 'node:fs';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { type ZoneFiles, zoneFiles } from './layout.ts';
import type { Resolvers } from './resolvers.ts';

export class FakeResolvers implements Resolvers {
  readonly #folder: string;
  /** What each of them has read. */
  readonly read = new Map<string, string>();
  /** Why the next one told to read does not. */
  failure: Problem | null = null;
  /** What was asked of them. */
  readonly calls: string[] = [];
  #tell: (zone: string) => void = () => {};

  constructor(folder: string) {
    this.#folder = folder;
  }

  async keep(zone: string): Promise<Problem | null> {
    this.calls.push(`keep ${zone}`);
    this.read.delete(zone);
    const { failure } = this;
    this.failure = null;
    if (failure !== null) return failure;
    const files = this.files(zone);
    for (const file of [files.configuration, files.forwarders])
      if (!existsSync(file)) return problem('plane.failed', `no ${file}`);
    this.read.set(zone, readFileSync(files.names, 'utf8'));
    return null;
  }

  async end(zone: string): Promise<void> {
    this.calls.push(`end ${zone}`);
    this.read.delete(zone);
  }

  answers(zone: string): boolean {
    return this.read.has(zone);
  }

  onChange(callback: (zone: string) => void): void {
    this.#tell = callback;
  }

  files(zone: string): ZoneFiles {
    return zoneFiles(this.#folder, zone);
  }

  die(zone: string): void {
    this.read.delete(zone);
    this.#tell(zone);
  }
}
