import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf } from '../answers.ts';
import { parseFlow } from '../conntrack/flow.ts';
import { Conversation } from '../conversation.ts';
import type { NetlinkSocket } from '../requests.ts';
import { askGeneration, beginBatch, endBatch, parseGeneration } from './batch.ts';
import { addElements, deleteElements, parseElements } from './element.ts';
import { equals, Meta, meta, verdict } from './expression.ts';
import { readNews } from './news.ts';
import { seeds } from './nftables.fuzz.ts';
import { VerdictCode } from './numbers.ts';
import { appendRule, parseRule, ruleOf, sameExpressions } from './rule.ts';
import { createSet, parseSet } from './set.ts';
import { createChain, createTable, deleteTable, parseChain, parseTable } from './table.ts';
import { commentOf, readComment, readUserdata, writeUserdata } from './userdata.ts';

const comment = (text: string): Uint8Array => writeUserdata(new Map([commentOf(text)]));
const TABLE = '0c00010076726f7574657200';

// As `nft --debug=mnl` 1.0.6 writes the same; it sends some more numbers that the kernel does not need.
const rows: readonly (readonly [string, Uint8Array, string])[] = [
  ['a batch begins, of a generation', beginBatch(17), '1c000000100001000000000000000000 0000000a 0800010000000011'],
  ['and ends', endBatch(), '14000000110001000000000000000000 0000000a'],
  [
    'a table',
    createTable('vrouter', comment('x')),
    `28000000000a01060000000000000000 01000000 ${TABLE} 0800060000027800`,
  ],
  ['and all that is in it goes', deleteTable('vrouter'), `20000000020a01000000000000000000 01000000 ${TABLE}`],
  [
    'a base chain',
    createChain('vrouter', 'raw', { type: 'filter', hook: 0, priority: -300 }),
    `50000000030a01060000000000000000 01000000 ${TABLE} 0800030072617700 0b00070066696c7465720000 0800050000000001 14000480 0800010000000000 08000200fffffed4`,
  ],
  [
    'a rule',
    appendRule('vrouter', 'raw', [verdict(VerdictCode.accept)]),
    `5c000000060a010c0000000000000000 01000000 ${TABLE} 0800020072617700 34000480 30000180 0e000100696d6d656469617465000000 1c000280 0800010000000000 10000280 0c000280 0800010000000001`,
  ],
  [
    'a map, with the order of its bytes',
    createSet(
      'vrouter',
      { name: 'port4', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'], counter: false },
      1,
    ),
    `6c000000090a01060000000000000000 01000000 ${TABLE} 0a000200706f727434000000 0800030000000008 080004000000030d 0800050000000008 08000600000001cd 0800070000000008 08000a0000000001 10000d00 000400000000 010400000000`,
  ],
  [
    'a set that counts',
    createSet('vrouter', { name: 'seen', key: ['ifname'], data: null, counter: true }, 2),
    `6c000000090a01060000000000000000 01000000 ${TABLE} 090002007365656e00000000 0800030000000000 0800040000000029 0800050000000010 08000a0000000002 0a000d00 000401000000 0000 14001180 0c000100636f756e74657200 04000280`,
  ],
  [
    'an element, with what it is called',
    addElements('vrouter', 'port4', [
      {
        key: Uint8Array.fromHex('060000001f900000'),
        data: Uint8Array.fromHex('0a00000200500000'),
        userdata: comment('port/8'),
      },
    ])[0]!,
    `640000000c0a01060000000000000000 01000000 ${TABLE} 0a000200706f727434000000 38000380 34000180 10000180 0c000100060000001f900000 10000280 0c0001000a00000200500000 0d0006000007706f72742f3800000000`,
  ],
  [
    'an element of a verdict map',
    addElements('vrouter', 'vp', [
      { key: Uint8Array.of(1), data: { code: VerdictCode.goto, chain: 'ports' }, userdata: null },
    ])[0]!,
    `580000000c0a01060000000000000000 01000000 ${TABLE} 0700020076700000 30000380 2c000180 0c000180 0500010001000000 1c000280 18000280 08000100fffffffc 0a000200706f727473000000`,
  ],
  [
    'an element goes, by its key',
    deleteElements('vrouter', 'vp', [Uint8Array.of(1)])[0]!,
    `3c0000000e0a01000000000000000000 01000000 ${TABLE} 0700020076700000 14000380 10000180 0c000180 0500010001000000`,
  ],
];

for (const [title, bytes, hex] of rows)
  test(title, () => {
    assert.equal(bytes.toHex(), hex.replaceAll(' ', ''));
    assert.equal(new DataView(bytes.buffer).getUint32(0, true), bytes.length);
  });

const read = <T>(
  bytes: Uint8Array,
  parse: (message: ReturnType<typeof messagesOf> extends Generator<infer M> ? M : never) => T | null,
): T | null => parse([...messagesOf(bytes)][0]!);

test('what the kernel tells', () => {
  assert.equal(readComment(readUserdata(read(seeds[0]!, parseTable)!.userdata)), 'x');
  assert.deepEqual(read(seeds[1]!, parseChain)!.hook, { type: 'filter', hook: 0, priority: -300 });
  assert.equal(read(seeds[2]!, parseRule)!.chain, 'ports');
  assert.equal(read(seeds[3]!, parseSet)!.counter, true);
  const [element] = read(seeds[4]!, parseElements)!;
  assert.equal(element!.key.toHex(), '060000001f900000');
  assert.equal(readComment(readUserdata(element!.userdata!)), 'port/8');
  assert.equal(read(seeds[5]!, parseGeneration), 17);
  const flow = read(seeds[6]!, parseFlow)!;
  assert.deepEqual(
    [flow.protocol, flow.original.destinationPort, flow.reply.sourcePort, flow.packets],
    [6, 8080, 80, null],
  );
});

test('long lists become several messages', () => {
  const elements = Array.from({ length: 5000 }, (_, i) => ({
    key: Uint8Array.of(i >> 8, i & 255),
    data: null,
    userdata: null,
  }));
  const messages = addElements('vrouter', 'x', elements);
  assert.ok(messages.length > 1 && messages.every((message) => message.length < 0xffff));
  assert.equal(messages.flatMap((message) => read(message, parseElements)!).length, 5000);
});

test('a rule is the same with more said of it, and another with something else', () => {
  const rule = (value: number) =>
    ruleOf(appendRule('t', 'c', [meta(Meta.nfproto, 0), equals(0, Uint8Array.of(value))])).expressions;
  assert.ok(sameExpressions(rule(2), rule(2)));
  assert.ok(!sameExpressions(rule(2), rule(10)));
  assert.ok(!sameExpressions(rule(2), rule(2).subarray(0, 60)));
});

test('news name the socket whose doing it was, and the generation', () => {
  const bytes = new Uint8Array(seeds[0]!.length + seeds[5]!.length);
  bytes.set(seeds[0]!);
  new DataView(bytes.buffer).setUint32(12, 4711, true);
  bytes.set(seeds[5]!, seeds[0]!.length);
  assert.deepEqual(readNews(bytes, 'vrouter'), { touchedBy: new Set([4711]), generation: 17 });
  assert.deepEqual(readNews(bytes, 'docker').touchedBy, new Set());
});

/** A kernel that has verdicts about some messages of a batch, by their place; -1 is the batch. */
function kernel(errors: ReadonlyMap<number, number>): NetlinkSocket {
  const waiting: Uint8Array[] = [];
  return {
    send: (bytes) => {
      for (const [i, { sequence, flags }] of [...messagesOf(bytes)].entries()) {
        const error = errors.get(i - 1) ?? 0;
        if (error === 0 && (flags & 4) === 0) continue;
        const said = new Uint8Array(36);
        const view = new DataView(said.buffer);
        view.setUint32(0, 36, true);
        view.setUint16(4, 2, true);
        view.setUint32(8, sequence, true);
        view.setInt32(16, error, true);
        waiting.push(said);
      }
    },
    receive: () => waiting.shift() ?? null,
  };
}

test('a batch is refused with the places of what is wrong with it, or as a whole', async () => {
  const transact = (errors: readonly (readonly [number, number])[]) =>
    new Conversation(kernel(new Map(errors)), async () => {}).transact(
      beginBatch(null),
      [askGeneration(), askGeneration(), askGeneration()],
      endBatch(),
    );
  assert.deepEqual(await transact([]), []);
  assert.deepEqual(
    (
      await transact([
        [0, -2],
        [2, -17],
      ])
    ).map(({ index, refusal }) => [index, refusal.errno]),
    [
      [0, 2],
      [2, 17],
    ],
  );
  assert.deepEqual(
    (await transact([[-1, -85]])).map(({ index, refusal }) => [index, refusal.errno]),
    [[-1, 85]],
  );
  const silent = new Conversation({ send: () => {}, receive: () => null }, async () => {});
  await assert.rejects(silent.transact(beginBatch(null), [askGeneration()], endBatch()), /does not answer/);
});
