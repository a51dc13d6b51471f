/** `versions` and `diff` against a real controller, and how the lines look. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { diffReply, versionList } from '@vrouter/api/rest/versions.ts';
import { runHere } from '../../programs/cli/in-process.testing.ts';
import type { World } from '../../programs/cli/session.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-diff-'));
let controller: ControllerProcess | undefined;
const key = (n: number): string => Buffer.alloc(32, n).toString('base64');

async function run(command: string, world: Partial<World> = {}) {
  const env = { VROUTER_CONTROLLER: controller!.rest, VROUTER_TOKEN: controller!.token, ...world.env };
  const { out, ...rest } = await runHere(command.split(' '), { ...world, env });
  return { ...rest, out: out.trimEnd() };
}

before(async () => {
  controller = await ControllerProcess.start(folder);
  for (const [method, path, body] of [
    ['POST', '', { name: 'e', networks: ['10.77.0.0/24'] }],
    ['POST', '/e/peers', { name: 'p', publicKey: key(1), allowedIps: ['192.168.1.0/24'], presharedKey: key(9) }],
    ['PATCH', '/e/peers/p', { allowedIps: ['192.168.2.0/24'], persistentKeepalive: 25 }],
    ['DELETE', '/e/peers/p', undefined],
  ] as const)
    assert.ok((await controller.call(method, `/v1/vrouters${path}`, body)).status < 300, path);
});
after(async () => {
  await controller?.end('SIGTERM');
  rmSync(folder, { recursive: true });
});

test('versions', async () => {
  const { status, out } = await run('versions e');
  assert.equal(status, 0);
  const lines = out.split('\n').map((line) => line.trim().split(/ {2,}/));
  assert.deepEqual(lines[0], ['VERSION', 'WHEN', 'WHO', 'TOKEN', 'WHAT', 'CHANGED']);
  assert.deepEqual(
    lines.slice(1).map((line) => [line.at(0), line.at(2), line.at(-2)]),
    [
      ['4', 'admin', 'peer.delete'],
      ['3', 'admin', 'peer.change'],
      ['2', 'admin', 'peer.create'],
      ['1', 'admin', 'vrouter.create'],
    ],
  );
  const { versions } = versionList.parse(JSON.parse((await run('versions e --json --limit 2')).out));
  assert.deepEqual(
    versions.map(({ version }) => version),
    [4, 3],
  );
});

test('diff', async () => {
  const change = await run('diff e --from 2 --to 3');
  assert.equal(
    change.out,
    [
      'e: version 2 -> 3, 1 intent',
      `~ peer/wg0/${key(1)}`,
      '-   allowedIps: 192.168.1.0/24',
      '+   allowedIps: 192.168.2.0/24',
      '-   persistentKeepalive: 0',
      '+   persistentKeepalive: 25',
    ].join('\n'),
  );
  assert.match((await run('diff e --from 3 --to 2')).out, /-[ ]{3}allowedIps: 192\.168\.2\.0\/24/);
  const removal = await run('diff e');
  assert.match(
    removal.out,
    /^e: version 3 -> 4, 1 intent\n- peer\/wg0\/[\s\S]*\n- {3}presharedKey: secret\([0-9a-f]{8}\)/,
  );
  assert.equal((await run('diff e --from 1 --to 4')).out, 'e: version 1 -> 4, nothing is other');
  const reply = diffReply.parse(JSON.parse((await run('diff e --from 0 --json')).out));
  assert.deepEqual([reply.from, reply.to, reply.changes.map(({ op }) => op)], [0, 4, ['add', 'add']]);
});

test('colours are for terminals, and for who wants them', async () => {
  const terminal = { outIsTerminal: true };
  const esc = '\u001b';
  assert.ok((await run('diff e', terminal)).out.includes(`${esc}[31m- peer/wg0/`));
  assert.ok(!(await run('diff e', { ...terminal, env: { NO_COLOR: '1' } })).out.includes(esc));
  assert.ok(!(await run('diff e')).out.includes(esc));
  assert.ok(!(await run('diff e --json', terminal)).out.includes(esc));
});

for (const [command, status, why] of [
  ['diff e --from 9', 1, /version\.notFound/],
  ['diff e --from applied', 1, /version\.notFound/],
  ['diff e --from x', 2, /a version, or applied/],
  ['diff e --to -1', 2, /whole number/],
  ['diff f', 1, /vrouter\.notFound/],
  ['versions f', 1, /vrouter\.notFound/],
] as const)
  test(`refused: ${command}`, async () => {
    const result = await run(command);
    assert.equal(result.status, status);
    assert.match(result.err, why);
  });
