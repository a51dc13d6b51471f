/** Backups of the real process, while it runs, and what becomes of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { renewReply } from '@vrouter/api/agent/agent.ts';
import type { CreatePeerReply, PeerList } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { makeRequest, TestGateway, wireguardKey } from '../testing/gateway.ts';
import { urlFor } from '../testing/place.ts';
import { ControllerProcess } from '../testing/spawn.ts';
import { parseBackup } from './format.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vrouter-backup-'));
const data = join(folder, 'data');
const file = join(folder, 'yesterday.backup');
let controller: ControllerProcess;
let gateway: TestGateway;
let ports: readonly [number, number];

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

async function store(of: string): Promise<string[]> {
  const url = await urlFor(of);
  return url === null ? [] : ['--store', url];
}

async function addPeers(...names: string[]): Promise<number> {
  let version = 0;
  for (const name of names) {
    const answer = await controller.call('POST', '/v1/vrouters/v/peers', { name, publicKey: wireguardKey() });
    assert.equal(answer.status, 201, JSON.stringify(answer.json));
    ({ version } = answer.json as CreatePeerReply);
  }
  return version;
}

async function peerNames(): Promise<string[]> {
  const { peers } = (await controller.call('GET', '/v1/vrouters/v/peers')).json as PeerList;
  return peers.map(({ name }) => name);
}

before(async () => {
  controller = await ControllerProcess.start(data);
  ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)];
  const made = await controller.call('POST', '/v1/vrouters', { name: 'v' });
  gateway = await TestGateway.join((made.json as CreateVrouterReply).join.string);
  await addPeers('a', 'b');
  await gateway.poll();
});

after(async () => {
  gateway?.close();
  await controller?.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test('a running controller is written into one file that is its owner’s alone', async () => {
  const done = await run('backup', '--data', data, ...(await store(data)), '--to', file, '--json');
  assert.equal(done.code, 0, done.err);
  const { rows, files, bytes } = JSON.parse(done.out);
  assert.ok(rows > 10);
  assert.equal(files, readdirSync(join(data, 'ca')).length);
  assert.equal(bytes, statSync(file).size);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const again = await run('backup', '--data', data, ...(await store(data)), '--to', file);
  assert.equal(again.code, 1);
  assert.match(again.err, /data\.inUse/);
});

test('a folder in use, one that was used, and a damaged file are refused and nothing is touched', async () => {
  const busy = await run('restore', '--data', data, ...(await store(data)), '--from', file);
  assert.match(busy.err, /data\.inUse/);
  const text = readFileSync(file, 'utf8');
  const damaged = join(folder, 'damaged.backup');
  for (const spoilt of [text.slice(0, -100), text.replace('controllerId', 'controllerIe'), '', 'x\n']) {
    writeFileSync(damaged, spoilt);
    const target = join(folder, 'target');
    const done = await run('restore', '--data', target, ...(await store(target)), '--from', damaged);
    assert.equal(done.code, 1);
    assert.match(done.err, /data\.corrupt/);
    assert.throws(() => readdirSync(join(target, 'ca')), /ENOENT/);
  }
  const nothing = join(folder, 'nothing');
  mkdirSync(nothing, { mode: 0o700 });
  const empty = await run('backup', '--data', nothing, ...(await store(nothing)), '--to', join(folder, 'x'));
  assert.match(empty.err, /data\.corrupt/);
});

test('a restore that is killed is done again, and is whole', async () => {
  const target = join(folder, 'killed');
  const args = ['restore', '--data', target, ...(await store(target)), '--from', file];
  // A start of the program alone takes some 300 ms; what is done after it takes a tenth of that.
  let killed = 0;
  for (let ms = 200; ; ms = ms * 1.1 + 5) {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearTimeout(timer);
    // One that was killed when all was done is refused the next time, for there is a controller.
    if (code === 0 || (code === 1 && readdirSync(target).includes('ca'))) break;
    assert.equal(code, null, 'killed, and never refused');
    killed++;
  }
  assert.ok(killed > 0);
  assert.deepEqual(readdirSync(join(target, 'ca')), readdirSync(join(data, 'ca')));
  const copy = join(folder, 'again.backup');
  const done = await run('backup', '--data', target, ...(await store(target)), '--to', copy, '--json');
  assert.equal(done.code, 0, done.err);
  const [before, after] = [file, copy].map((path) => rowsOf(readFileSync(path, 'utf8')));
  assert.equal(after!.replaceAll(/"restoredVersion":\d+/g, '"restoredVersion":0'), before);
});

/** Everything but the settings, where it stands that it was restored. */
function rowsOf(text: string): string {
  const parsed = parseBackup(text);
  assert.ok(parsed.ok);
  return JSON.stringify(parsed.value.parts.filter((part) => !('table' in part && part.table === 'settings')));
}

test('a controller restored from yesterday is known to its gateways, and shrinks nobody’s network', async () => {
  // Today: two more peers, and the gateway has another certificate.
  const version = await addPeers('c', 'd');
  await gateway.poll();
  assert.equal(gateway.storedVersion, version);
  const request = await makeRequest();
  const renewed = await gateway.post('/vrouter/renew', { csr: request.csr });
  gateway.rekey(request.key, renewReply.parse(renewed.json).certificateChain);
  const today = new Map(gateway.state);
  const fingerprint = controller.rootFingerprint;
  await controller.end('SIGKILL');

  const restoredTo = join(folder, 'restored');
  const done = await run('restore', '--data', restoredTo, ...(await store(restoredTo)), '--from', file);
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /vrouter confirm/);
  assert.deepEqual(readdirSync(restoredTo).includes('restoring'), false);
  for (const name of readdirSync(join(restoredTo, 'ca')))
    assert.deepEqual(readFileSync(join(restoredTo, 'ca', name)), readFileSync(join(data, 'ca', name)));
  // Tokens are in the store as hashes; where the first one is kept as a file, it is the person's, who has it still.
  if (existsSync(join(data, 'admin-token'))) cpSync(join(data, 'admin-token'), join(restoredTo, 'admin-token'));
  controller = await ControllerProcess.start(restoredTo, ports);
  assert.equal(controller.rootFingerprint, fingerprint);
  assert.deepEqual(await peerNames(), ['a', 'b']);

  const first = await gateway.send(gateway.next()).catch(() => gateway.send(gateway.next()));
  assert.equal(first.status, 409, 'the certificate is known again, the nonce is not');
  gateway.nonce = (first.json as { nextNonce: string }).nextNonce;
  assert.deepEqual((await gateway.poll()).ops, []);
  assert.deepEqual(gateway.state, today);
  // People go on, past the version that the gateway has; what it has is still another.
  const later = await addPeers('e', 'f', 'g');
  assert.ok(later > version);
  assert.deepEqual((await gateway.poll()).ops, []);
  assert.deepEqual(gateway.state, today);
  const status = (await controller.call('GET', '/v1/vrouters/v/status')).json as VrouterStatus;
  assert.match(status.held?.reason ?? '', /restored/);
  assert.equal(status.storedVersion, version);

  await controller.call('POST', '/v1/vrouters/v/confirm-shrink');
  const reply = await gateway.poll();
  assert.deepEqual([reply.version, reply.baseVersion, reply.confirmShrink], [later, null, true]);
  assert.deepEqual(await peerNames(), ['a', 'b', 'e', 'f', 'g']);
  assert.equal([...gateway.state.keys()].filter((key) => key.startsWith('peer/')).length, 5);
  const more = await addPeers('h');
  await gateway.poll();
  assert.equal(gateway.storedVersion, more, 'and from here on as ever');
});
