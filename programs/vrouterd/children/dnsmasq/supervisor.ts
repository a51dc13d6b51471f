/** Looks after a dnsmasq per zone: finds those that run, starts, watches and ends them, and asks now and then whether they answer. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Problem } from '@vrouter/core/problem.ts';
import { checkDataFolder, checkZoneName, zoneFiles } from '@vrouter/drivers/dnsmasq/layout.ts';
import type { Resolvers } from '@vrouter/drivers/dnsmasq/resolvers.ts';
import { parseZone } from '@vrouter/drivers/dnsmasq/zones.ts';
import { switchFiles } from '@vrouter/host/switches/switches.ts';
import type { Logger } from 'pino';
import { endLeftovers, type Leftover } from './ending.ts';
import { InotifyRoom } from './inotify.ts';
import { answersAt, ownAddresses } from './probe.ts';
import { findProcesses } from './process.ts';
import type { RunAs } from './user.ts';
import { ZoneProcess } from './zone.ts';

export interface DnsmasqOptions {
  /** The folder above all zones. */
  readonly folder: string;
  /** Who the processes run as; null: as we do. */
  readonly runAs: RunAs | null;
  /** Left out: `dnsmasq`, on PATH or where Debian has it. */
  readonly program?: string;
  /** Between two looks at whether they are there, and between two questions, ms. */
  readonly lookMs?: number;
  readonly askMs?: number;
  /** How long a process may take to read its names until it is replaced, ms. */
  readonly patienceMs?: number;
}

export interface ZoneHealth {
  readonly zone: string;
  /** It runs and has read what it was told to. */
  readonly up: boolean;
  readonly pid: number | null;
  /** How often it was started again because it had ended. */
  readonly restarts: number;
  readonly lastError: string | null;
}

/** Questions in a row without an answer until a process is replaced, and how long each waits, ms. */
const GIVE_UP_AFTER = 3;
const ANSWER_MS = 1000;
/** Of the time in which each zone is visited once. */
const SHARES = 10;

export class DnsmasqSupervisor implements Resolvers {
  readonly #options: DnsmasqOptions;
  readonly #log: Logger;
  readonly #zones = new Map<string, ZoneProcess>();
  readonly #room: InotifyRoom;
  readonly #missed = new Map<string, number>();
  readonly #callbacks: ((zone: string) => void)[] = [];
  #looking: NodeJS.Timeout | undefined;
  #asking: NodeJS.Timeout | undefined;

  constructor(options: DnsmasqOptions, log: Logger) {
    checkDataFolder(options.folder);
    this.#options = options;
    this.#log = log;
    this.#room = new InotifyRoom(options.folder, switchFiles, log);
  }

  /**
   * Adopts what an earlier daemon started, makes it read what it may have missed, and ends what belongs to no zone. Rejects with
   * ProblemError when something of that does not end.
   */
  async start(): Promise<void> {
    const { folder, lookMs = 500, askMs = 5000 } = this.#options;
    const adopted = new Map<string, ZoneProcess>();
    for (const name of foldersIn(folder)) {
      if (!existsSync(this.#files(name).zone)) continue;
      const zone = this.#zone(name);
      if (zone.adopt()) adopted.set(name, zone);
      else this.#zones.delete(name);
    }
    const ours = new Set([...adopted.values()].map((zone) => zone.pid));
    const strays = (): readonly Leftover[] =>
      [...findProcesses(folder)].flatMap(([configuration, ids]) =>
        ids.filter(({ pid }) => !ours.has(pid)).map((id) => ({ id, configuration })),
      );
    for (const { id, configuration } of strays())
      this.#log.warn(
        { pid: id.pid, zone: basename(dirname(configuration)) },
        'ending a resolver that belongs to no network',
      );
    await endLeftovers(strays);
    // Of what nobody answers by nothing would be known, so nobody would take it away; who is wanted is written anew.
    for (const name of foldersIn(folder))
      if (!adopted.has(name)) rmSync(this.#files(name).folder, { recursive: true, force: true });
    await Promise.all([...adopted.values()].map((zone) => zone.keep()));
    this.#looking ??= this.#everyOne(lookMs, (names) => {
      for (const name of names) this.#zones.get(name)?.look();
    });
    this.#asking ??= this.#everyOne(askMs, (names) => void this.#ask(names));
  }

  /** Looks after them no more; they go on answering. */
  close(): void {
    clearInterval(this.#looking);
    clearInterval(this.#asking);
    for (const zone of this.#zones.values()) zone.letGo();
  }

  async keep(name: string): Promise<Problem | null> {
    const zone = this.#zone(name);
    this.#room.make(this.#zones.size);
    return zone.keep();
  }

  async end(name: string): Promise<void> {
    await this.#zone(name).end();
    this.#zones.delete(name);
    this.#missed.delete(name);
    if (this.#zones.size === 0) this.#room.giveBack();
  }

  answers(name: string): boolean {
    return this.#zones.get(name)?.answers ?? false;
  }

  onChange(callback: (zone: string) => void): void {
    this.#callbacks.push(callback);
  }

  health(): readonly ZoneHealth[] {
    return [...this.#zones].map(([zone, { answers, pid, restarts, lastError }]) => ({
      zone,
      up: answers,
      pid,
      restarts,
      lastError,
    }));
  }

  /** Visits each zone once in so many ms, some at a time: nothing else waits for a thousand of them. */
  #everyOne(ms: number, visit: (names: readonly string[]) => void): NodeJS.Timeout {
    let waiting: string[] = [];
    let share = 0;
    return setInterval(() => {
      if (waiting.length === 0) {
        waiting = [...this.#zones.keys()];
        share = Math.ceil(waiting.length / SHARES);
      }
      if (waiting.length > 0) visit(waiting.splice(0, share));
    }, ms / SHARES).unref();
  }

  /** A process can be there and be stuck. */
  async #ask(names: readonly string[]): Promise<void> {
    const ours = ownAddresses();
    await Promise.all(
      names.map(async (name) => {
        const zone = this.#zones.get(name);
        if (zone?.answers !== true) return;
        const { pid } = zone;
        const heard = await Promise.all(this.#listens(name).map((address) => answersAt(address, ANSWER_MS, ours)));
        // An address may be taken away while we ask; one answer is enough.
        const silent = heard.includes(false) && !heard.includes(true);
        const missed = silent ? (this.#missed.get(name) ?? 0) + 1 : 0;
        this.#missed.set(name, missed);
        if (missed < GIVE_UP_AFTER || zone.pid !== pid) return;
        this.#missed.delete(name);
        zone.giveUp();
      }),
    );
  }

  #listens(name: string): readonly string[] {
    try {
      return parseZone(readFileSync(this.#files(name).zone, 'utf8'), name)?.listen ?? [];
    } catch {
      return [];
    }
  }

  #zone(name: string): ZoneProcess {
    const known = this.#zones.get(name);
    if (known !== undefined) return known;
    const { program = 'dnsmasq', runAs, patienceMs = 5000 } = this.#options;
    const changed = (): void => {
      for (const callback of this.#callbacks) callback(name);
    };
    const made = new ZoneProcess(name, this.#files(name), { program, runAs, patienceMs, log: this.#log, changed });
    this.#zones.set(name, made);
    return made;
  }

  #files(name: string): ReturnType<typeof zoneFiles> {
    if (!checkZoneName(name).ok) throw new RangeError(`unchecked name of a zone: ${JSON.stringify(name)}`);
    return zoneFiles(this.#options.folder, name);
  }
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && checkZoneName(entry.name).ok)
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
