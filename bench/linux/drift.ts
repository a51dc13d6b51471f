/**
 * Somebody else's hand: routes of ours are taken away one by one through another socket while 100,000 others stand, and each is timed until the
 * kernel has it again. Arguments: how many routes, how many times. Tells milliseconds as JSON.
 */
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { messagesOf } from '@vrouter/drivers/linux/netlink/answers.ts';
import { MessageType } from '@vrouter/drivers/linux/netlink/message.ts';
import { Requests } from '@vrouter/drivers/linux/netlink/requests.ts';
import { deleteRoute, parseRoute } from '@vrouter/drivers/linux/netlink/route.ts';
import { openNetlink } from '@vrouter/host/netlink/netlink.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { Intent } from '@vrouter/intent/model/intents.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { pino } from 'pino';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { Reconciler } from '../../programs/vrouterd/reconcile/reconciler.ts';
import { testLinux } from '../../tests/linux/options.ts';

const [count, rounds] = process.argv.slice(2).map(Number) as [number, number];
const RTNLGRP_IPV4_ROUTE = 7;
const RT_TABLE_MAIN = 254;
const LATE_MS = 10_000;

const { driver, close } = await linuxPlane(testLinux());
const desired = new Desired(testOutside(), driver.capabilities().kinds);
let drifted = 0;
const observer = {
  applied() {},
  drifted: (steps: readonly unknown[]): void => {
    drifted += steps.length;
  },
  planeAway() {},
};
const reconciler = new Reconciler(desired, driver, pino({ level: 'silent' }), observer, (step) => step);

function parsed(json: object): Intent {
  const intent = parseIntent(json);
  if (!intent.ok) throw new Error(intent.error.message);
  return intent.value;
}
const prefixOf = (i: number): string => `${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`;

desired.replaceSource('file', [
  parsed({ kind: 'interface', name: 'bench0', type: 'bridge' }),
  parsed({ kind: 'address', interface: 'bench0', address: '10.255.255.1/24' }),
  ...Array.from({ length: count }, (_, i) => parsed({ kind: 'route', prefix: prefixOf(i), blackhole: true })),
]);
reconciler.start();
if (!(await reconciler.settled(600_000))) throw new Error('the routes are not there in time');

const hand = new Requests(openNetlink());
const news = openNetlink({ groups: [RTNLGRP_IPV4_ROUTE] });
let waiting: { readonly text: string; readonly done: () => void } | null = null;
news.onReadable(() => {
  for (let datagram = news.receive(); datagram !== null; datagram = news.receive())
    for (const message of messagesOf(datagram)) {
      const row = message.type === MessageType.newRoute ? parseRoute(message) : null;
      if (row !== null && waiting !== null && `${row.prefix.address.join('.')}/${row.prefix.bits}` === waiting.text)
        waiting.done();
    }
});

const times: number[] = [];
for (let round = 0; round < rounds; round++) {
  const text = prefixOf(Math.floor(Math.random() * count));
  const prefix = parsePrefix(text);
  if (!prefix.ok) throw new Error(prefix.error.message);
  const began = performance.now();
  const back = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${text} is not back after ${LATE_MS} ms`)), LATE_MS);
    waiting = {
      text,
      done: () => {
        clearTimeout(late);
        resolve();
      },
    };
  });
  const refusal = hand.doOne(
    deleteRoute({ table: RT_TABLE_MAIN, prefix: prefix.value, metric: 0, target: { type: 'blackhole' } }),
  );
  if (refusal !== null) throw new Error(`errno ${refusal.errno}`);
  await back;
  times.push(performance.now() - began);
  // Between two of them the loop comes to rest.
  await new Promise((resolve) => setTimeout(resolve, 5));
}
times.sort((a, b) => a - b);
const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))]!;
if (drifted < rounds) throw new Error(`${drifted} of ${rounds} were counted as drift`);
await reconciler.stop();
await close();
console.log(JSON.stringify({ p50Ms: at(0.5), p99Ms: at(0.99), worstMs: times.at(-1) }));
process.exit(0);
