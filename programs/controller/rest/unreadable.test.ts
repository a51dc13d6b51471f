/** What cannot be read at all is refused as everything else is: a code, a sentence, and no word of the framework. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { pino } from 'pino';
import { type Running, startController } from '../controller.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-unreadable-'));
const loopback = { host: '127.0.0.1', port: 0 };
let running: Running;

before(async () => {
  const options = { data, rest: loopback, agents: loopback, agentHosts: [], logLevel: 'silent' };
  running = await startController(options, pino({ level: 'silent' }));
});

after(async () => {
  await running.stop();
  rmSync(data, { recursive: true, force: true });
});

/** Sends the bytes as they are; the whole answer. */
function raw(bytes: string): Promise<string> {
  const { hostname, port } = new URL(running.rest);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (more: string) => {
      text += more;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
}

test('a path that cannot be decoded, and one with a part that is too long', async () => {
  const authorization = `Bearer ${readFileSync(join(data, 'admin-token'), 'utf8').trim()}`;
  for (const path of ['/v1/vrouters/%', '/v1/vrouters/%E0%A4%A', `/v1/vrouters/${'a'.repeat(300)}`]) {
    const answer = await fetch(running.rest + path, { headers: { authorization } });
    const { error } = errorReply.parse(await answer.json());
    assert.deepEqual([answer.status, error.code], [400, 'input.invalid'], path);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  }
});

test('what is no HTTP, and a header without end', async () => {
  for (const [bytes, status, code] of [
    ['GET /healthz HTTP/1.1\r\nhost: x\r\nno header\r\n\r\n', 400, 'input.invalid'],
    [`GET /healthz HTTP/1.1\r\nhost: x\r\nlong: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'request.tooLarge'],
  ] as const) {
    const answer = await raw(bytes);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    const { error } = errorReply.parse(JSON.parse(answer.split('\r\n\r\n')[1]!));
    assert.equal(error.code, code);
  }
});

test('HEAD of the event stream ends', async () => {
  const authorization = `Bearer ${readFileSync(join(data, 'admin-token'), 'utf8').trim()}`;
  const signal = AbortSignal.timeout(5000);
  const answer = await fetch(`${running.rest}/v1/events`, { method: 'HEAD', headers: { authorization }, signal });
  assert.equal(answer.status, 404);
});

test('JSON that is announced and does not come is no body: enough where none is needed, told where one is', async () => {
  const authorization = `Bearer ${readFileSync(join(data, 'admin-token'), 'utf8').trim()}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const call = (method: string, path: string, body: string | null) =>
    fetch(running.rest + path, { method, headers, body });
  assert.equal((await call('POST', '/v1/vrouters', '{"name":"empty"}')).status, 201);
  assert.equal((await call('POST', '/v1/vrouters/empty/tokens', '')).status, 201);
  for (const body of ['', '{"name":"x","__proto__":{}}', '{']) {
    const refused = await call('POST', '/v1/vrouters', body);
    assert.deepEqual([refused.status, errorReply.parse(await refused.json()).error.code], [400, 'input.invalid'], body);
  }
  assert.equal((await call('DELETE', '/v1/vrouters/empty', null)).status, 200);
});
