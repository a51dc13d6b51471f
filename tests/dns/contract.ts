/** The contract of planes with real processes for names, beside a fake plane for the rest. A program for a network namespace of its own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JoinedDriver } from '@vrouter/drivers/contract/joined.ts';
import { driverContract } from '@vrouter/drivers/contract/suite.ts';
import { DnsmasqDriver } from '@vrouter/drivers/dnsmasq/driver.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { type ObjectKind, objectKinds } from '@vrouter/intent/model/objects.ts';
import { pino } from 'pino';
import { DnsmasqSupervisor } from '../../programs/vrouterd/children/dnsmasq/supervisor.ts';
import { unprivilegedUser } from '../../programs/vrouterd/children/dnsmasq/user.ts';

const others = (Object.keys(objectKinds) as ObjectKind[]).filter((kind) => kind !== 'dnsZone' && kind !== 'dnsRecord');

driverContract('real dnsmasq beside a fake plane', async () => {
  const base = mkdtempSync(join(tmpdir(), 'vrouter-contract-'));
  chmodSync(base, 0o711);
  const folder = join(base, 'names');
  mkdirSync(folder, { mode: 0o711 });
  const runAs = unprivilegedUser();
  const supervisor = new DnsmasqSupervisor({ folder, runAs }, pino({ level: 'silent' }));
  await supervisor.start();
  const names = new DnsmasqDriver({ folder, reader: runAs }, supervisor);
  return {
    driver: new JoinedDriver(new FakeDriver(others), names),
    dispose: async () => {
      for (const { zone } of supervisor.health()) await supervisor.end(zone);
      supervisor.close();
      rmSync(base, { recursive: true });
    },
  };
});
