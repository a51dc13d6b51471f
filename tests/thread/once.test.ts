/** The first thing that anyone runs, as they run it, down to its exit status. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { needs } from '../world/needs.ts';
import { freeBase } from './network.ts';

const clone = fileURLToPath(new URL('../../', import.meta.url));

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function start(...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile('npm', ['start', '--silent', '--', ...args], { cwd: clone, timeout: 60_000 }, (error, out, err) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });
}

/** With root and what it takes, one of the peers must be the real thing. */
const real = needs('root', 'netns', 'tun', 'wireguard-go', 'wg', 'ip') === false;

test('npm start -- --once --json: packets cross, counters agree, a removed peer is shut out', async () => {
  const ran = await start('--once', '--json', '--port', String(await freeBase()));
  assert.equal(ran.status, 0, ran.err);
  const report = JSON.parse(ran.out) as Record<string, unknown>;
  assert.equal(report.gateway, 'demo');
  assert.equal(report.peers, 2);
  assert.deepEqual(report.programs, ['vrouter', real ? 'wireguard-go' : 'vrouter']);
  assert.equal(report.handshakes, 2);
  assert.equal(report.delivered, 800);
  assert.equal(report.lost, 0);
  assert.equal(report.delivered_after_removal, 0);
  for (const name of ['ping_ms', 'enrol_ms', 'converge_ms']) assert.ok(Number(report[name]) > 0, name);
});

test('npm start: bad options are usage errors, and nothing is started', async () => {
  for (const args of [['--json'], ['--port', '0'], ['--prot', '1'], ['--once', '--data', '/dev/null/x']]) {
    const ran = await start(...args);
    assert.ok(ran.status === 2 || ran.status === 1, `${args.join(' ')}: ${ran.status}`);
    assert.match(ran.err, /\(usage\)|error: |\(data\./, args.join(' '));
    assert.equal(ran.out, '');
  }
});

test('a killed demo is cleared away by the next one on its folder, which goes on where it stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  const options = ['--data', folder, '--port', String(await freeBase())];
  try {
    const live = spawn('node', ['programs/demo/main.ts', ...options], {
      cwd: clone,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(live.stdout, 'data');
    live.kill('SIGKILL');
    await once(live, 'exit');
    for (let run = 0; run < 2; run++) {
      const ran = await start('--once', '--json', ...options);
      assert.equal(ran.status, 0, ran.err);
      assert.equal((JSON.parse(ran.out) as { lost: number }).lost, 0);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
