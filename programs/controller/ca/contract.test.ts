/** The embedded authority keeps the contract. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Authority } from './authority.ts';
import { providerContract } from './contract.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-contract-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let opened: Promise<Authority> | null = null;
providerContract('embedded', () => (opened ??= Authority.open(join(folder, 'ca'), null, Date.now)));
