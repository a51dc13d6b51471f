/**
 * The daemon's side of names, as a process in the router's namespace: the driver and what looks after the processes, over IPC. Arguments:
 * the data folder and the host's resolv.conf.
 */
import { mkdirSync } from 'node:fs';
import { toProblem } from '@vrouter/core/problem.ts';
import { DnsmasqDriver } from '@vrouter/drivers/dnsmasq/driver.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { pino } from 'pino';
import { DnsmasqSupervisor } from '../../programs/vrouterd/children/dnsmasq/supervisor.ts';
import { unprivilegedUser } from '../../programs/vrouterd/children/dnsmasq/user.ts';

export type Request =
  | { readonly id: number; readonly is: 'apply'; readonly steps: readonly Step[] }
  | { readonly id: number; readonly is: 'observe'; readonly keys: readonly ObjectKey[] | null }
  | { readonly id: number; readonly is: 'health' };

const [folder, resolvConf, level = 'silent'] = process.argv.slice(2) as [string, string, string?];
mkdirSync(folder, { recursive: true, mode: 0o711 });
const runAs = unprivilegedUser();
const supervisor = new DnsmasqSupervisor({ folder, runAs, lookMs: 100, askMs: 500, patienceMs: 1500 }, pino({ level }));
const driver = new DnsmasqDriver({ folder, reader: runAs, resolvConf }, supervisor);
const signal = new AbortController().signal;
await supervisor.start();
void (async () => {
  for await (const change of driver.watch(signal)) process.send!({ change });
})();

async function answer(request: Request): Promise<unknown> {
  switch (request.is) {
    case 'apply':
      return driver.apply(request.steps, signal);
    case 'observe':
      return driver.observe(request.keys ?? 'all', signal);
    case 'health':
      return supervisor.health();
  }
}

process.on('message', (request: Request) => {
  const began = performance.now();
  answer(request).then(
    (value) => process.send!({ id: request.id, value, ms: performance.now() - began }),
    (thrown) => process.send!({ id: request.id, problem: toProblem(thrown) }),
  );
});
process.on('disconnect', () => {
  supervisor.close();
  process.exit(0);
});
process.send!({ ready: true });
