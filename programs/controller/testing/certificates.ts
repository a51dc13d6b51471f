/** An authority of a test's own, and servers' certificates of it in files as people have them; for tests. */
import { renameSync, writeFileSync } from 'node:fs';
import { issueRoot, issueServer } from '../ca/issue.ts';
import { generateKeyPair, importPrivateKey, pemOf } from '../ca/keys.ts';

const DAY_MS = 24 * 3_600_000;

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface TestAuthority {
  /** PEM */
  readonly root: string;
  /** For names and addresses; `fromUnixMs`: when it was made, `lifetimeMs`: for how long. */
  make(hosts: readonly string[], lifetimeMs?: number, fromUnixMs?: number): Promise<TestCertificate>;
}

export async function testAuthority(): Promise<TestAuthority> {
  const pair = await generateKeyPair();
  const long = { lifetimeMs: 3650 * DAY_MS, nowUnixMs: Date.now() - 400 * DAY_MS };
  const certificate = await issueRoot({ commonName: 'root of a test', ...long }, pair.keys);
  const issuer = { certificate, privateKey: await importPrivateKey(pair.privateKeyPem) };
  return {
    root: pemOf(certificate),
    async make(hosts, lifetimeMs = 90 * DAY_MS, fromUnixMs = Date.now()) {
      const own = await generateKeyPair();
      const subject = { commonName: hosts[0]!, publicKey: own.keys.publicKey, lifetimeMs, nowUnixMs: fromUnixMs };
      return { key: own.privateKeyPem, cert: pemOf(await issueServer(subject, hosts, issuer)) };
    },
  };
}

/** Puts a new file in the place of one, as those do who renew certificates. */
export function putFile(path: string, text: string, mode = 0o600): void {
  writeFileSync(`${path}.new`, text, { mode });
  renameSync(`${path}.new`, path);
}
