/** A Linux plane that leaves nothing behind but what it is told to make. */
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryLedger } from '@vrouter/drivers/linux/ledger.ts';
import { pino } from 'pino';
import type { LinuxOptions } from '../../programs/vrouterd/planes/linux.ts';

export function testLinux(): LinuxOptions {
  const folder = mkdtempSync(join(tmpdir(), 'linux-plane-'));
  // Resolvers have no privileges, and walk through it.
  chmodSync(folder, 0o711);
  const namesFolder = join(folder, 'names');
  return { ledger: new MemoryLedger(), namesFolder, log: pino({ level: 'silent' }) };
}
