/** The way in, of the real process: first start, reset, what is in its logs, and streams of tokens that stop. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { createApiTokenReply, whoamiReply } from '@vrouter/api/rest/identity.ts';
import { auditVerifyReply } from '@vrouter/api/rest/system.ts';
import { ControllerProcess, spawnController } from '../testing/spawn.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-way-in-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function run(args: readonly string[]): Promise<{ status: number; text: string }> {
  const child = spawnController(args);
  let text = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  const [status] = await once(child, 'close');
  return { status, text };
}

function count(text: string, what: string): number {
  return text.split(what).length - 1;
}

function codeOf({ json }: { json: unknown }): string {
  return errorReply.parse(json).error.code;
}

/** Sends what is no HTTP, with a token in it. */
async function sendNonsense(url: string, token: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.end(`GET /v1/vrouters HTTP/1.1\r\nauthorization: Bearer ${token}\r\nbroken header\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
}

test('the first start prints a token for people and writes it down; nothing else ever prints one', async () => {
  const data = join(folder, 'first');
  const first = await ControllerProcess.start(data, [0, 0], ['--log-level', 'trace']);
  const path = join(data, 'admin-token');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { token } = first;
  const whoami = whoamiReply.parse((await first.call('GET', '/v1/whoami')).json);
  assert.deepEqual([whoami.user, whoami.role, whoami.apiToken.name], ['admin', 'admin', 'first']);

  await first.call('POST', '/v1/users', { name: 'kim', role: 'operator' });
  const made = createApiTokenReply.parse((await first.call('POST', '/v1/api-tokens', { user: 'kim', name: 'x' })).json);
  const secrets = [token, made.token, `vra_zzzzzzzz_${'q'.repeat(43)}`, `vra_${made.apiToken.id}_${'q'.repeat(43)}`];
  for (const secret of secrets) {
    await first.call('GET', '/v1/vrouters', undefined, secret);
    await first.call('POST', '/v1/vrouters', { name: 'a/b', token: secret }, secret);
    await first.call('POST', '/v1/vrouters', '{', secret);
    await first.call('GET', `/v1/vrouters/${secret}`, undefined, secret);
    await sendNonsense(first.rest, secret);
    await sendNonsense(first.agents, secret);
  }
  await first.call('DELETE', `/v1/api-tokens/${made.apiToken.id}`);
  await first.end('SIGTERM');

  const lines = first.log().split('\n');
  const shown = lines.filter((line) => line.includes('vra_'));
  assert.deepEqual(shown, [`      ${token}`], 'on a line of its own, once');
  const json = lines.filter((line) => line.startsWith('{'));
  assert.ok(json.length > 3);
  for (const line of json) JSON.parse(line);
  assert.ok(
    json.some((line) => line.includes('HPE_INVALID_HEADER_TOKEN')),
    'what is no HTTP was heard of',
  );
  for (const secret of secrets) {
    const bare = secret.slice(13);
    assert.equal(count(json.join('\n'), bare), 0);
    assert.equal(count(json.join('\n'), [...Buffer.from(bare)].join()), 0, 'nor as bytes');
  }
  for (const name of ['controller.db', 'controller.db-wal']) {
    if (!existsSync(join(data, name))) continue;
    const bytes = readFileSync(join(data, name), 'latin1');
    for (const secret of [token, made.token])
      assert.equal(count(bytes, secret.slice(13)), 0, 'the store has a hash alone');
  }

  rmSync(path);
  const { status, text } = await run(['--data', data, '--rest', 'x']);
  assert.deepEqual([status, count(text, 'vra_')], [2, 0]);
});

test('a killed first start leaves a token that is good, or another first start', { timeout: 60_000 }, async () => {
  for (const afterMs of [0, 150, 250, 350, 450, 600]) {
    const data = join(folder, `killed-${afterMs}`);
    const child = spawnController(['--data', data, '--rest', '127.0.0.1:0', '--agents', '127.0.0.1:0']);
    setTimeout(() => child.kill('SIGKILL'), afterMs);
    await once(child, 'exit');
    const again = await ControllerProcess.start(data);
    assert.equal((await again.call('GET', '/v1/whoami')).status, 200);
    await again.end('SIGKILL');
  }
});

test('--reset-admin lets in again who has lost all tokens, when the controller does not run', async () => {
  const data = join(folder, 'reset');
  const reset = ['--data', data, '--reset-admin'];
  const nothing = await run(reset);
  assert.deepEqual([nothing.status, /no data folder.*\(usage\)/.test(nothing.text)], [2, true]);
  assert.equal(existsSync(data), false, 'and makes none');

  const before = await ControllerProcess.start(data);
  const busy = await run(reset);
  assert.deepEqual([busy.status, /data\.inUse/.test(busy.text)], [1, true]);
  await before.end('SIGTERM');
  rmSync(join(data, 'admin-token'));

  const done = await run(reset);
  assert.equal(done.status, 0, done.text);
  const token = readFileSync(join(data, 'admin-token'), 'utf8').trim();
  assert.notEqual(token, before.token);
  assert.equal(count(done.text, token), 1);

  const later = await ControllerProcess.start(data);
  assert.equal((await later.call('GET', '/v1/whoami')).status, 200);
  assert.equal(count(later.log(), 'vra_'), 0, 'only the first start prints');
  const { json } = await later.call('GET', '/v1/audit?last=5');
  assert.ok(JSON.stringify(json).includes('admin.reset'));
  await later.end('SIGKILL');
});

test('an event stream ends with its token; others go on', { timeout: 20_000 }, async () => {
  const controller = await ControllerProcess.start(join(folder, 'streams'));
  await controller.call('POST', '/v1/users', { name: 'kim' });
  const make = async (user: string) =>
    createApiTokenReply.parse((await controller.call('POST', '/v1/api-tokens', { user, name: 'x' })).json);
  const listen = async (token: string) => {
    const stream = await fetch(`${controller.rest}/v1/events`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(stream.status, 200);
    return { stream, ended: stream.text() };
  };
  const [own, kims, kimsOther] = [await listen(controller.token), await make('kim'), await make('kim')];
  const [first, second] = [await listen(kims.token), await listen(kimsOther.token)];
  await controller.call('DELETE', `/v1/api-tokens/${kims.apiToken.id}`);
  assert.match(await first.ended, /^retry/);
  await controller.call('PATCH', '/v1/users/kim', { disabled: true });
  await second.ended;
  await controller.call('POST', '/v1/vrouters', { name: 'edge' });
  await controller.end('SIGTERM');
  assert.match(await own.ended, /vrouter\.created/);
});

test('/metrics needs a token of any role, unless it is open', async () => {
  const closed = await ControllerProcess.start(join(folder, 'metrics'));
  assert.equal(codeOf(await closed.call('GET', '/metrics', undefined, null)), 'request.unauthenticated');
  await closed.call('POST', '/v1/users', { name: 'prometheus' });
  const { json } = await closed.call('POST', '/v1/api-tokens', { user: 'prometheus', name: 'x' });
  const { token } = createApiTokenReply.parse(json);
  assert.equal((await closed.call('GET', '/metrics', undefined, token)).status, 200);
  await closed.end('SIGTERM');
  const open = await ControllerProcess.start(join(folder, 'metrics'), [0, 0], ['--metrics-open']);
  assert.equal((await open.call('GET', '/metrics', undefined, null)).status, 200);
  assert.equal(codeOf(await open.call('GET', '/v1/vrouters', undefined, null)), 'request.unauthenticated');
  await open.end('SIGKILL');
});

test('an edit of the database past the controller is found over REST', async () => {
  const data = join(folder, 'edited');
  const controller = await ControllerProcess.start(data);
  await controller.call('POST', '/v1/vrouters', { name: 'edge' });
  const verify = async (query = '') =>
    auditVerifyReply.parse((await controller.call('GET', `/v1/audit/verify${query}`)).json);
  const { intact, head } = await verify();
  assert.equal(intact, true);
  assert.equal((await verify(`?id=${head.id}&hash=${head.hash}`)).intact, true);
  assert.equal((await verify(`?id=${head.id}&hash=${'0'.repeat(64)}`)).broken?.id, head.id);
  for (const query of ['?id=1', `?hash=${head.hash}`, '?id=0&hash=x'])
    assert.equal(codeOf(await controller.call('GET', `/v1/audit/verify${query}`)), 'input.invalid', query);
  const raw = new DatabaseSync(join(data, 'controller.db'));
  raw.exec('DROP TRIGGER "auditNoUPDATE"');
  raw.exec("UPDATE audit SET actor = 'nobody' WHERE action = 'vrouter.create'");
  const { id } = raw.prepare("SELECT id FROM audit WHERE action = 'vrouter.create'").get() as { id: number };
  raw.close();
  const after = await verify();
  assert.deepEqual([after.intact, after.broken?.id], [false, id]);
  await controller.end('SIGKILL');
});
