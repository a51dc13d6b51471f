import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { World } from '../testing/world.testing.ts';
import { type ByteStream, EngineClient } from './client.ts';
import { encodeFrame, FrameDecoder } from './frame.ts';
import { said } from './said.testing.ts';
import { ControlSession, hello } from './session.ts';

/** The engine's side of a stream in memory: a real session, or whatever a test answers. */
class Pipe implements ByteStream {
  readonly written: unknown[] = [];
  ended = false;
  readonly #decoder = new FrameDecoder();
  #data: (chunk: Uint8Array) => void = () => {};
  #close: () => void = () => {};
  readonly #answer: (message: unknown, pipe: Pipe) => void;

  constructor(answer: (message: unknown, pipe: Pipe) => void) {
    this.#answer = answer;
  }

  write(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
    for (let next = this.#decoder.next(); next !== null; next = this.#decoder.next()) {
      assert.ok(next.ok);
      this.written.push(next.value);
      this.#answer(next.value, this);
    }
  }
  say(message: unknown): void {
    this.#data(encodeFrame(message));
  }
  sayBytes(bytes: Uint8Array): void {
    this.#data(bytes);
  }
  onData(callback: (chunk: Uint8Array) => void): void {
    this.#data = callback;
  }
  onClose(callback: () => void): void {
    this.#close = callback;
  }
  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.#close();
  }
}

const rejectsWith = async (promise: Promise<unknown>, code: string): Promise<void> => {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ProblemError);
    assert.equal(error.problem.code, code);
    return true;
  });
};

function connected(): { client: EngineClient; pipe: Pipe; world: World } {
  const world = new World();
  const session = new ControlSession(world.engine);
  // One request after the other, as the program serves them.
  let last = Promise.resolve();
  const pipe = new Pipe((message, to) => {
    last = last.then(async () => {
      const { replies } = await session.handle(message);
      for (const reply of said(replies)) to.say(reply);
    });
  });
  const client = new EngineClient(pipe);
  pipe.say(hello('1.2.3', 42, 'test'));
  return { client, pipe, world };
}

test('calls meet their answers, many at a time', async () => {
  const { client } = connected();
  assert.deepEqual(await client.hello, { type: 'hello', controlVersion: 1, version: '1.2.3', pid: 42, epoch: 'test' });
  const vrf = (name: string) => ({ do: 'vrf.set', name, tableId: 1 }) as const;
  const [first, second, rows, counters] = await Promise.all([
    client.apply([vrf('a'), vrf('no good')]),
    client.apply([vrf('b')]),
    client.dump([{ is: 'vrf', name: 'a' }]),
    client.counters(),
  ]);
  assert.deepEqual([first[0], first[1]?.code, second], [null, 'name.invalid', [null]]);
  assert.deepEqual(rows, [{ is: 'vrf', name: 'a', tableId: 1 }]);
  assert.equal(counters.epoch, 'test');
  await client.stop();
});

test('many actions and many rows go in parts that the caller does not see', async () => {
  const { client, pipe } = connected();
  const actions = Array.from({ length: 2345 }, (_, i) => ({
    do: 'route.set' as const,
    vrf: i === 2000 ? 'none' : 'default',
    prefix: `10.${i >> 8}.${i & 255}.0/24`,
    link: null,
    nextHop: null,
  }));
  const results = await client.apply(actions);
  assert.equal(results.length, 2345);
  assert.deepEqual(
    results.flatMap((result, i) => (result === null ? [] : [i])),
    [2000],
  );
  assert.equal(pipe.written.length, 10);
  assert.equal((await client.dump()).length, 2345);
  assert.deepEqual(await client.apply([]), []);
});

test('the end of the stream rejects what waits and all that comes', async () => {
  const pipe = new Pipe(() => {});
  const client = new EngineClient(pipe);
  const waiting = [client.hello, client.dump(), client.counters()];
  pipe.close();
  for (const promise of waiting) await rejectsWith(promise, 'engine.unreachable');
  await client.closed;
  await rejectsWith(client.dump(), 'engine.unreachable');
});

test("an error reply is the call's alone", async () => {
  const pipe = new Pipe((message, to) => {
    const { id } = message as { id: number };
    to.say({ type: 'reply', id, ok: false, error: { code: 'input.invalid', message: 'no' } });
  });
  const client = new EngineClient(pipe);
  await rejectsWith(client.dump(), 'input.invalid');
  await rejectsWith(client.counters(), 'input.invalid');
  assert.equal(pipe.ended, false);
});

const nonsense: readonly (readonly [string, (pipe: Pipe) => void, string])[] = [
  ['garbage', (pipe) => pipe.sayBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), 'engine.protocol'],
  ['null', (pipe) => pipe.say(null), 'engine.protocol'],
  ['an answer to nobody', (pipe) => pipe.say({ type: 'reply', id: 99, ok: true }), 'engine.protocol'],
  ['another kind of answer', (pipe) => pipe.say({ type: 'reply', id: 1, ok: true }), 'engine.protocol'],
  ['another version', (pipe) => pipe.say({ ...hello('9', 1, 'x'), controlVersion: 9 }), 'engine.protocol'],
  [
    'last words',
    (pipe) => pipe.say({ type: 'reply', id: 0, ok: false, error: { code: 'engine.unreachable', message: 'full' } }),
    'engine.unreachable',
  ],
];
for (const [what, say, code] of nonsense) {
  test(`${what}: the client hangs up`, async () => {
    const pipe = new Pipe((_, to) => say(to));
    const client = new EngineClient(pipe);
    await rejectsWith(client.dump(), code);
    assert.equal(pipe.ended, true);
    await client.closed;
    await rejectsWith(client.hello, code);
  });
}
