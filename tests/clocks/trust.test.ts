/** Whom a gateway takes for its controller when its own clock is no help: certificates of a real authority, servers of real TLS. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { renewReply } from '@vrouter/api/agent/agent.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import { Authority } from '../../programs/controller/ca/authority.ts';
import { gatewayRequest } from '../../programs/controller/ca/contract.testing.ts';
import { ControllerClient } from '../../programs/vrouterd/agent/client.ts';
import { ControllerClock } from '../../programs/vrouterd/agent/clock.ts';
import { distrust } from '../../programs/vrouterd/agent/trust.ts';

const DAY_MS = 86_400_000;
const YEAR_MS = 365 * DAY_MS;
const folder = mkdtempSync(join(tmpdir(), 'vr-trust-'));
let ours: Authority;
let theirs: Authority;

before(async () => {
  // Old enough that certificates of a year ago can be made.
  ours = await Authority.open(join(folder, 'ours'), null, () => Date.now() - 2 * YEAR_MS);
  theirs = await Authority.open(join(folder, 'theirs'), null, Date.now);
});

after(() => rmSync(folder, { recursive: true, force: true }));

const at = (offMs: number, name = 'ours') => Authority.open(join(folder, name), null, () => Date.now() + offMs);
const chainOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [])
    .filter((block) => block.includes('BEGIN CERTIFICATE'))
    .map((block) => new X509Certificate(block));

async function shown(offMs = 0, hosts: readonly string[] = ['127.0.0.1']): Promise<X509Certificate[]> {
  return chainOf((await (await at(offMs)).server(hosts, null, 0)).cert);
}

test('names, uses, signatures and times, each by itself', async () => {
  const now = Date.now();
  const chain = await shown();
  assert.equal(distrust(chain, ours.rootPem, '127.0.0.1', now), null);
  assert.equal(distrust(chain, theirs.rootPem + ours.rootPem, '127.0.0.1', now), null, 'any of several roots');
  for (const [what, found, isTime] of [
    ['another address', distrust(chain, ours.rootPem, '127.0.0.2', now), false],
    ['another name', distrust(chain, ours.rootPem, 'localhost', now), false],
    ['another root', distrust(chain, theirs.rootPem, '127.0.0.1', now), false],
    ['no intermediate', distrust(chain.slice(0, 1), ours.rootPem, '127.0.0.1', now), false],
    ['nothing shown', distrust([], ours.rootPem, '127.0.0.1', now), false],
    ['ended', distrust(chain, ours.rootPem, '127.0.0.1', now + 31 * DAY_MS), true],
    ['not begun', distrust(chain, ours.rootPem, '127.0.0.1', now - DAY_MS), true],
  ] as const) {
    assert.ok(found !== null, what);
    assert.equal(found.isTime, isTime, what);
  }
  assert.equal(distrust(chain, ours.rootPem, '127.0.0.1', null), null, 'without times');
  // A gateway of the same controller is no controller, whatever it calls itself.
  const gateway = await (await at(0)).issue('127.0.0.1', (await gatewayRequest()).read);
  const found = distrust(chainOf(gateway.chain.join('')), ours.rootPem, '127.0.0.1', now);
  assert.ok(found !== null && !found.isTime);
});

interface Server {
  readonly offMs: number;
  /** What it says of the time, against the true one, ms. */
  readonly saysMs: number;
  readonly authority?: string;
  readonly hosts?: readonly string[];
}

/** Asks a server for a renewal, with a clock of ours that is a year ahead; the offset that was learnt, or what was refused. */
async function asked({ offMs, saysMs, authority = 'ours', hosts = ['127.0.0.1'] }: Server): Promise<number | string> {
  const credentials = await (await at(offMs, authority)).server(hosts, null, 0);
  let posts = 0;
  const server = createServer(credentials, (request, response) => {
    if (request.method === 'POST') posts++;
    request.resume();
    response.setHeader('content-type', 'application/json');
    const serverTimeUnixMs = Date.now() + saysMs;
    const discover = {
      controllerId: 'c',
      protocolVersions: [1],
      rootFingerprint: ours.rootFingerprint,
      rootCertificate: ours.rootPem,
      urls: { register: '/r', poll: '/p' },
      serverTimeUnixMs,
    };
    response.end(JSON.stringify(request.method === 'GET' ? discover : { certificateChain: ['x'], serverTimeUnixMs }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const made = await gatewayRequest();
  const issued = await (await at(0)).issue('gw', made.read);
  const clock = new ControllerClock(
    () => Date.now() + YEAR_MS,
    () => performance.now(),
  );
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const own = { key: made.key, chain: issued.chain.join('') };
  const client = new ControllerClient(url, ours.rootPem, own, clock);
  try {
    // OpenSSL judges by the true clock, so a certificate of a year ago is what a clock that is a year ahead makes of a good one.
    await client.post('/vrouter/renew', { csr: made.csr }, renewReply, AbortSignal.timeout(10_000));
    return clock.offsetMs ?? 0;
  } catch (thrown) {
    assert.equal(posts, 0, 'nothing was said to it');
    return toProblem(thrown).message;
  } finally {
    await client.close();
    server.close();
    server.closeAllConnections();
  }
}

test('a certificate that has ended is not made good by a word: not by the true time, nor by one before our own certificate', async () => {
  // A key that was stolen a year ago, and its certificate.
  assert.match(String(await asked({ offMs: -YEAR_MS, saysMs: 0 })), /ended .*, also by its own clock/);
  assert.match(
    String(await asked({ offMs: -YEAR_MS, saysMs: -YEAR_MS })),
    /its clock is behind, or it is not the controller/,
  );
});

test('a certificate of tomorrow with a clock of tomorrow is the controller: both may be a day ahead', async () => {
  const offset = await asked({ offMs: DAY_MS, saysMs: DAY_MS });
  assert.ok(typeof offset === 'number' && Math.abs(offset - (DAY_MS - YEAR_MS)) < 5000, String(offset));
});

test('a stranger of any time is refused before anything is said to it', async () => {
  for (const offMs of [-YEAR_MS, DAY_MS]) {
    const message = String(await asked({ offMs, saysMs: offMs, authority: 'stranger' }));
    assert.match(message, /root|issuer|self-signed/i);
    const host = String(await asked({ offMs, saysMs: offMs, hosts: ['other.example'] }));
    assert.match(host, /not for 127\.0\.0\.1/);
  }
});
