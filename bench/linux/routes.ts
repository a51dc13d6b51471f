/**
 * Routes through the whole first river into the kernel of a network namespace of its own, and out again: said, parsed, compiled, compared,
 * planned and applied by vrouterd's reconcile loop. Arguments: how many. Tells the seconds of each part as JSON.
 */
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { Intent } from '@vrouter/intent/model/intents.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { pino } from 'pino';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { Reconciler } from '../../programs/vrouterd/reconcile/reconciler.ts';
import { testLinux } from '../../tests/linux/options.ts';

const count = Number(process.argv[2]);
const log = pino({ level: 'silent' });
const { driver, close } = await linuxPlane(testLinux());
const desired = new Desired(testOutside(), driver.capabilities().kinds);
const observer = { applied() {}, drifted() {}, planeAway() {} };
const reconciler = new Reconciler(desired, driver, log, observer, (step) => step);
const WAIT_MS = 600_000;

function parsed(json: object): Intent {
  const intent = parseIntent(json);
  if (!intent.ok) throw new Error(intent.error.message);
  return intent.value;
}

const base = [
  parsed({ kind: 'interface', name: 'bench0', type: 'bridge' }),
  parsed({ kind: 'address', interface: 'bench0', address: '10.255.255.1/24' }),
];
const routes = Array.from({ length: count }, (_, i) => ({
  kind: 'route',
  prefix: `${16 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
  interface: 'bench0',
  nextHop: '10.255.255.2',
}));

async function timed(work: () => void | Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

async function settle(): Promise<void> {
  reconciler.kick();
  if (!(await reconciler.settled(WAIT_MS)) || reconciler.failing().length > 0)
    throw new Error(`${JSON.stringify(reconciler.failing()[0])}`);
}

reconciler.start();
desired.replaceSource('file', base);
await settle();
const addSeconds = await timed(async () => {
  desired.replaceSource('file', [...base, ...routes.map(parsed)]);
  await settle();
});
const listSeconds = await timed(async () => {
  const seen = await driver.observe('all', AbortSignal.timeout(WAIT_MS));
  const there = seen.filter(({ object }) => object.kind === 'route').length;
  if (there !== count + 1) throw new Error(`${there} routes instead of ${count + 1}`);
});
const removeSeconds = await timed(async () => {
  desired.replaceSource('file', base);
  await settle();
});
await reconciler.stop();
await close();
console.log(JSON.stringify({ addSeconds, listSeconds, removeSeconds }));
process.exit(0);
