/** The real controller on a PostgreSQL that is up and ails: a lock that somebody holds, a full disk, a damaged page. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import pg from 'pg';
import { needs } from '../../../tests/world/needs.ts';
import { TestGateway, wireguardKey } from '../testing/gateway.ts';
import { PostgresServer } from '../testing/postgres.testing.ts';
import { ControllerProcess } from '../testing/spawn.ts';

const skip = needs('postgres');
const PAGE_BYTES = 8192;

/** A controller on a database of its own, and a gateway that has polled once. */
class World implements AsyncDisposable {
  readonly #undo = new AsyncDisposableStack();
  readonly server: PostgresServer;
  controller!: ControllerProcess;
  gateway!: TestGateway;
  #start!: () => Promise<ControllerProcess>;

  private constructor(server: PostgresServer) {
    this.server = this.#undo.use(server);
  }

  static async make(): Promise<World> {
    const world = new World(await PostgresServer.start());
    const folder = mkdtempSync(join(tmpdir(), 'vr-trouble-'));
    world.#undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    const url = await world.server.database('trouble');
    // A wait for a lock that an operator has limited; ours is 15 s.
    await world.server.query(`alter database trouble set lock_timeout = '700ms'`);
    let ports: readonly [number, number] = [0, 0];
    world.#start = async () => {
      const controller = await ControllerProcess.start(join(folder, 'data'), ports, ['--store', url]);
      ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)];
      return controller;
    };
    world.controller = await world.#start();
    world.#undo.defer(async () => void (await world.controller.end('SIGKILL')));
    const made = await world.controller.call('POST', '/v1/vrouters', { name: 'v' });
    world.gateway = await TestGateway.join((made.json as CreateVrouterReply).join.string);
    world.#undo.defer(() => world.gateway.close());
    await world.gateway.poll();
    return world;
  }

  async add(name: string): Promise<{ status: number; code: string; message: string }> {
    const body = { name, publicKey: wireguardKey() };
    const { status, json } = await this.controller.call('POST', '/v1/vrouters/v/peers', body);
    const { error } = json as { error?: { code: string; message: string } };
    return { status, code: error?.code ?? '', message: error?.message ?? '' };
  }

  /** It answers from memory, and what it has is not nothing. */
  async polls(): Promise<void> {
    const reply = await this.gateway.poll({ full: true });
    assert.equal(reply.baseVersion, null);
    assert.ok(
      reply.ops.some(({ key }) => key === 'gatewayInterface/wg0'),
      'an error is no empty state',
    );
  }

  restart(): Promise<void> {
    return this.controller.end('SIGKILL').then(async () => {
      this.controller = await this.#start();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo.disposeAsync();
  }
}

test('somebody holds a lock: changes are refused, polls answered, and all goes on when it is let go', {
  skip,
  timeout: 60_000,
}, async () => {
  await using world = await World.make();
  const other = new pg.Client({ connectionString: world.server.url('trouble') });
  await other.connect();
  await other.query('begin');
  await other.query(`select * from vrouters for update`);
  for (const name of ['lost', 'lost-too']) {
    const refused = await world.add(name);
    assert.deepEqual([refused.status, refused.code], [503, 'store.unavailable'], refused.message);
    assert.match(refused.message, /lock timeout/);
  }
  await world.polls();
  await other.query('rollback');
  await other.end();
  assert.equal((await world.add('found')).status, 201);
  const { version } = await world.gateway.poll();
  assert.equal(version, 2, 'what was refused was not made');
});

test('its disk is full: changes are refused, polls answered, and all goes on when there is room', {
  skip,
  timeout: 60_000,
}, async () => {
  await using world = await World.make();
  // What PostgreSQL says when a file cannot grow (53100), in the last statements of a change: the first have been done by then.
  await world.server.query(
    `create function full_disk() returns trigger language plpgsql as $$ begin
       raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`,
    'trouble',
  );
  await world.server.query('create trigger t before insert on changes execute function full_disk()', 'trouble');
  const refused = await world.add('lost');
  assert.deepEqual([refused.status, refused.code], [503, 'store.unavailable']);
  assert.match(refused.message, /No space left on device/);
  await world.polls();
  const rows = await world.server.query(
    `select name from peers union all select owner from claims where owner <> ''`,
    'trouble',
  );
  assert.deepEqual(rows, [], 'nothing is half done');
  await world.server.query('drop trigger t on changes', 'trouble');
  assert.equal((await world.add('found')).status, 201);
  assert.equal((await world.gateway.poll()).version, 2);
});

test('a page is damaged: it is told as such, nothing is taken for empty, and a start refuses', {
  skip,
  timeout: 60_000,
}, async () => {
  await using world = await World.make();
  assert.equal((await world.add('before')).status, 201);
  await world.gateway.poll();
  const [row] = (await world.server.query(`select pg_relation_filepath('intents') as path`, 'trouble')) as {
    path: string;
  }[];
  // Nothing of it stays in the server's memory.
  await world.server.down('SIGINT');
  const file = openSync(join(world.server.folder, 'd', row!.path), 'r+');
  writeSync(file, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, 0);
  closeSync(file);
  await world.server.up();
  const refused = await world.add('lost');
  assert.deepEqual([refused.status, refused.code], [500, 'data.corrupt'], refused.message);
  assert.match(refused.message, /is damaged \(.*invalid page.*\); restore it from a backup/);
  await world.polls();
  await assert.rejects(world.restart(), /data\.corrupt/);
});
