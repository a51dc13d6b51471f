import assert from 'node:assert/strict';
import { test } from 'node:test';
import { udpPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';
import type { ControlReply } from './messages.ts';
import { said } from './said.testing.ts';
import { ControlSession } from './session.ts';
import { Streams } from './streams.ts';

/** One client of a world's engine, with a connection that the test fills and drains. */
class Client {
  readonly replies: ControlReply[] = [];
  readonly alarms = new Map<number, () => void>();
  full = false;
  readonly streams: Streams;
  readonly #session: ControlSession;
  readonly #soon: (() => void)[] = [];

  constructor(world: World) {
    this.#session = new ControlSession(world.engine);
    this.streams = new Streams(world.engine, {
      send: (reply) => {
        this.replies.push(reply);
        return !this.full;
      },
      soon: (callback) => void this.#soon.push(callback),
      after: (ms, callback) => {
        this.alarms.set(ms, callback);
        return () => this.alarms.delete(ms);
      },
    });
  }

  async ask(message: unknown): Promise<ControlReply | undefined> {
    return said((await this.#session.handle(message, this.streams)).replies)[0];
  }

  /** What has come since the last look. */
  heard(): ControlReply[] {
    for (const callback of this.#soon.splice(0)) callback();
    return this.replies.splice(0);
  }
}

async function world(): Promise<{ made: World; client: Client; send: (count: number) => void }> {
  const made = new World();
  await made.gateway();
  const peer = await made.client(1);
  const packet = udpPacket({ src: '10.77.0.2', dst: '10.77.0.9' }, new Uint8Array(8));
  const send = (count: number): void => {
    peer.sendAll(Array.from({ length: count }, () => packet));
    made.settle();
  };
  send(1);
  return { made, client: new Client(made), send };
}

const rowsIn = (replies: readonly ControlReply[]): number =>
  replies.reduce((sum, reply) => sum + (reply.ok && 'traced' in reply ? reply.traced.length : 0), 0);

test('the first piece comes at once, rows follow, and the count ends it', async () => {
  const { client, send } = await world();
  assert.equal(await client.ask({ id: 7, method: 'trace', filter: { count: 3 } }), undefined);
  assert.deepEqual(client.heard(), [{ type: 'reply', id: 7, ok: true, traced: [], lost: 0, more: true }]);
  send(2);
  const [two, ...others] = client.heard();
  assert.deepEqual([rowsIn([two!]), others.length, two!.ok && 'more' in two], [2, 0, true]);
  send(2);
  const rest = client.heard();
  assert.equal(rowsIn(rest), 1);
  assert.deepEqual(rest.at(-1), { type: 'reply', id: 7, ok: true, traced: [], lost: 0 });
  send(1);
  assert.deepEqual(client.heard(), []);
});

test('time and cancel end it too, and two go side by side', async () => {
  const { client, send } = await world();
  await client.ask({ id: 1, method: 'trace', filter: { seconds: 5 } });
  await client.ask({ id: 2, method: 'capture', filter: {}, snapLen: 100 });
  client.heard();
  send(1);
  const ids = client.heard().map((reply) => reply.id);
  assert.deepEqual(ids, [1, 2]);
  client.alarms.get(5000)!();
  assert.deepEqual(client.heard(), [{ type: 'reply', id: 1, ok: true, traced: [], lost: 0 }]);
  assert.equal(client.alarms.size, 0);
  assert.deepEqual(await client.ask({ id: 3, method: 'cancel', stream: 2 }), { type: 'reply', id: 3, ok: true });
  assert.deepEqual(client.heard(), [{ type: 'reply', id: 2, ok: true, captured: [], lost: 0 }]);
});

test('a full connection gets nothing more until it has room; rows wait, and are lost when there are too many', async () => {
  const { client, send } = await world();
  await client.ask({ id: 1, method: 'trace', filter: {} });
  client.full = true;
  send(1);
  assert.equal(rowsIn(client.heard()), 1);
  for (let i = 0; i < 60; i++) send(100);
  assert.deepEqual(client.heard(), []);
  client.full = false;
  client.streams.drained();
  const heard = client.heard();
  const last = heard.at(-1);
  assert.ok(last?.ok && 'lost' in last && last.lost > 0);
  assert.equal(rowsIn(heard) + last.lost, 6000);
  assert.ok(heard.length > 1, 'in frames of a bounded size');
});

test('what is refused, and what a connection that ends leaves behind', async () => {
  const { made, client, send } = await world();
  const code = async (message: unknown): Promise<unknown> => {
    const reply = await client.ask(message);
    return reply?.ok === false ? [reply.error.code, reply.error.field] : reply;
  };
  assert.deepEqual(await code({ id: 1, method: 'trace', filter: { link: 'x' } }), ['object.notFound', 'link']);
  assert.deepEqual(await code({ id: 1, method: 'trace', filter: { protocol: 'arp' } }), [
    'input.invalid',
    'filter.protocol',
  ]);
  assert.deepEqual(await code({ id: 1, method: 'trace', filter: { bpf: 'ip' } }), ['input.invalid', 'filter.bpf']);
  assert.deepEqual(await code({ id: 1, method: 'trace' }), ['input.invalid', 'filter']);
  assert.deepEqual(await code({ id: 1, method: 'capture', filter: {}, snapLen: 70_000 }), ['input.invalid', 'snapLen']);
  for (let id = 1; id <= 8; id++) assert.equal(await code({ id, method: 'trace', filter: {} }), undefined);
  assert.deepEqual(await code({ id: 8, method: 'trace', filter: {} }), ['input.invalid', 'id']);
  assert.deepEqual(await code({ id: 9, method: 'trace', filter: {} }), ['request.limited', 'method']);
  client.heard();
  client.streams.close();
  send(1);
  assert.deepEqual(client.heard(), []);
  const alone = await new ControlSession(made.engine).handle({ id: 1, method: 'trace', filter: {} });
  assert.deepEqual(
    said(alone.replies).map((reply) => reply.ok),
    [false],
  );
});
