/**
 * Networks with NAT, names and ten published ports each, made and removed one by one while others stand, through the whole first river into
 * the kernel and a dnsmasq. Arguments: how many stand, how often, 1 for names. Tells the middle milliseconds of each as JSON. For namespaces of its own, with
 * which the standing ones go.
 */
import { Desired } from '@vrouter/intent/index/desired.ts';
import { type Intent, intentKey } from '@vrouter/intent/model/intents.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { pino } from 'pino';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { Reconciler } from '../../programs/vrouterd/reconcile/reconciler.ts';
import { testLinux } from '../../tests/linux/options.ts';

const [standing, rounds, withDns] = process.argv.slice(2).map(Number) as [number, number, number];
const PORTS = 10;
const WAIT_MS = 600_000;

const { driver } = await linuxPlane(testLinux());
const desired = new Desired(testOutside(), driver.capabilities().kinds);
const observer = { applied() {}, drifted() {}, planeAway() {} };
const reconciler = new Reconciler(desired, driver, pino({ level: 'silent' }), observer, (step) => step);
reconciler.start();

/** Network `n` of all, its name and its ports. */
function intentsOf(n: number): Intent[] {
  const net = `10.${n >> 8}.${n & 255}`;
  const id = `net${n}`;
  const said: object[] = [
    {
      ...{ kind: 'network', id, attachment: 'bridged', interface: `br${n}`, domain: 'bench.example' },
      ...{
        subnets: [{ prefix: `${net}.0/24`, gateway: `${net}.1` }],
        dns: withDns === 1,
        ...(withDns === 1 ? { dnsServers: [] } : {}),
      },
    },
    ...Array.from({ length: PORTS }, (_, i) => ({
      ...{ kind: 'publishedPort', network: id, protocol: 'tcp', hostPort: 1000 + n * PORTS + i },
      ...{ address: `${net}.2`, port: 80 + i },
    })),
  ];
  if (withDns === 1) said.push({ kind: 'dnsName', network: id, name: 'web', addresses: [`${net}.2`] });
  return said.map((json) => {
    const parsed = parseIntent(json);
    if (!parsed.ok) throw new Error(parsed.error.message);
    return parsed.value;
  });
}

async function settle(): Promise<void> {
  reconciler.kick();
  const done = await reconciler.settled(WAIT_MS);
  if (!done || reconciler.failing().length > 0) throw new Error(JSON.stringify(reconciler.failing()[0] ?? 'late'));
}

async function timed(work: () => void): Promise<number> {
  const began = performance.now();
  work();
  await settle();
  return performance.now() - began;
}

for (let n = 0; n < standing; n++) for (const intent of intentsOf(n)) desired.put('cli', intent);
await settle();
const create: number[] = [];
const remove: number[] = [];
for (let round = 0; round < rounds; round++) {
  const intents = intentsOf(standing + round);
  create.push(
    await timed(() => {
      for (const intent of intents) desired.put('cli', intent);
    }),
  );
  remove.push(
    await timed(() => {
      for (const intent of intents) desired.remove('cli', intentKey(intent));
    }),
  );
}
const middle = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
console.log(JSON.stringify({ createMs: middle(create), removeMs: middle(remove) }));
// The rest ends with the namespaces.
process.exit(0);
