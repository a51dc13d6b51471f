/** A PostgreSQL of a test's own: a cluster in a temporary folder, of an unprivileged user, reached by a unix socket alone. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { needs, programPath } from '../../../tests/world/needs.ts';
import { place } from './place.ts';

/** `nobody`: PostgreSQL refuses to run as root. */
const NOBODY = 65534;
const START_MS = 30_000;
const USER = 'vrouter';

export class PostgresServer {
  readonly folder: string;
  readonly #known = new Map<string, Promise<string>>();
  #child: ChildProcess | null = null;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes a cluster and starts it. */
  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'vr-pg-'));
    if (process.getuid?.() === 0) chownSync(folder, NOBODY, NOBODY);
    const server = new PostgresServer(folder);
    const made = spawnSync(
      program('initdb'),
      ['-D', join(folder, 'd'), '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...unprivileged(), encoding: 'utf8', cwd: folder },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stdout}${made.stderr}`);
    await server.up();
    return server;
  }

  /** Starts what `down` has ended. */
  async up(): Promise<void> {
    // Without fsync a server that crashes loses nothing all the same; only a machine that does would, and no test pulls that plug.
    const settings = ['-c', 'listen_addresses=', '-c', 'max_connections=60', '-c', 'fsync=off'];
    const child = spawn(program('postgres'), ['-D', join(this.folder, 'd'), '-k', this.folder, ...settings], {
      ...unprivileged(),
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    // Not even a test that was ended in the middle leaves a server behind.
    process.once('exit', () => child.kill('SIGQUIT'));
    let log = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-10_000);
    });
    for (const end = Date.now() + START_MS; ; await delay(30)) {
      try {
        await this.query('select 1');
        return;
      } catch (thrown) {
        if (child.exitCode === null && Date.now() < end) continue;
        throw new Error(`PostgreSQL did not start: ${String(thrown)}\n${log}`);
      }
    }
  }

  /** `SIGQUIT` is a crash (no checkpoint, connections are cut), `SIGINT` an orderly end. */
  async down(signal: 'SIGQUIT' | 'SIGINT'): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  /** Asks as the owner of everything. */
  async query(text: string, database = 'postgres'): Promise<unknown[]> {
    const client = new pg.Client({ connectionString: this.url(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  url(database: string): string {
    return `postgres:///${database}?host=${encodeURIComponent(this.folder)}&user=${USER}`;
  }

  /** The URL of a database, which is made when there is none. */
  database(name: string): Promise<string> {
    const made = this.#known.get(name) ?? this.query(`create database ${name}`).then(() => this.url(name));
    this.#known.set(name, made);
    return made;
  }

  /** The URL of a schema of its own: as good as a database to a store, and made in a moment. */
  schema(name: string): Promise<string> {
    const made =
      this.#known.get(name) ??
      this.query(`create schema ${name}`).then(
        () => `${this.url('postgres')}&options=${encodeURIComponent(`-c search_path=${name}`)}`,
      );
    this.#known.set(name, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down('SIGQUIT');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs the tests of another file with their stores in PostgreSQL. */
export async function onPostgres(load: () => Promise<unknown>): Promise<void> {
  const skip = needs('postgres');
  if (skip !== false) {
    test('the same on PostgreSQL', { skip }, () => {});
    return;
  }
  const server = await PostgresServer.start();
  place.postgres = (name) => server.schema(name);
  await load();
  after(() => server[Symbol.asyncDispose]());
}

/** initdb and postgres lie in a folder of their version, and belong together. */
function program(name: 'initdb' | 'postgres'): string {
  return join(dirname(programPath('postgres')!), name);
}

function unprivileged(): { uid?: number; gid?: number; env: NodeJS.ProcessEnv } {
  const env = { PATH: process.env.PATH, LC_ALL: 'C' };
  return process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY, env } : { env };
}
