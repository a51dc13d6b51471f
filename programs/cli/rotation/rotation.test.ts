/** `peer rotate` and `rotation ...` as processes, against a server that speaks the schemas of `api`. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { type PeerReply, peerReply } from '@vrouter/api/rest/peers.ts';
import {
  changeRotationReply,
  type RotationPeerState,
  rotationPeersRequest,
  rotationReply,
  startRotationRequest,
} from '@vrouter/api/rest/rotations.ts';
import { vrouterctl } from '../process.testing.ts';
import { type Answering, type Handler, serve } from '../server.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-rotation-'));
after(() => rmSync(folder, { recursive: true }));
let folders = 0;
const fresh = (): string => join(folder, `out${folders++}`);
const key = (n: number): string => Buffer.alloc(32, n).toString('base64');
const gateway = { publicKey: key(99), endpoint: 'vpn.example:51820', allowedIps: ['10.0.0.0/24'], mtu: 1420 };

const peerOf = (name: string, n: number): PeerReply =>
  peerReply.parse({
    peer: {
      vrouter: 'e',
      name,
      publicKey: key(n),
      hasPresharedKey: false,
      addresses: [`10.0.0.${n}/32`],
      allowedIps: [`10.0.0.${n}/32`],
      endpoint: null,
      persistentKeepalive: 25,
      createdUnixMs: 1,
      live: null,
    },
    gateway,
  });

function rotationOf(states: readonly RotationPeerState[]) {
  const counts = { waiting: 0, offered: 0, switched: 0, straggler: 0, withdrawing: 0, cancelled: 0, failed: 0 };
  for (const state of states) counts[state]++;
  return {
    id: 'r1',
    vrouter: 'e',
    what: 'key+psk' as const,
    state: states.includes('offered') ? ('running' as const) : ('straggling' as const),
    pace: 2,
    deadlineSeconds: 604_800,
    atDeadline: 'keep' as const,
    startedBy: 'admin',
    createdUnixMs: Date.now(),
    counts,
    peers: states.map((state, i) => ({
      peer: `p${i}`,
      publicKey: key(i + 1),
      nextPublicKey: key(i + 101),
      state,
      offeredUnixMs: Date.now(),
      deadlineUnixMs: Date.now() + 3_600_000,
      switchedUnixMs: state === 'switched' ? Date.now() : null,
      effect: state === 'switched' ? ('none' as const) : null,
      reason: null,
    })),
  };
}

/** Two peers, `phone` and `tv`, and whatever is made of a rotation. */
const controller: Handler = ({ method, url, body }): Answering => {
  const path = url.split('?')[0]!;
  if (method === 'GET' && path === '/v1/vrouters/e/peers')
    return { body: { peers: [peerOf('phone', 1).peer, peerOf('tv', 2).peer], next: null } };
  if (method === 'GET' && path.startsWith('/v1/vrouters/e/peers/'))
    return { body: path.endsWith('/tv') ? peerOf('tv', 2) : peerOf('phone', 1) };
  if (method === 'POST' && path === '/v1/vrouters/e/rotations') {
    startRotationRequest.parse(body);
    return {
      status: 201,
      body: changeRotationReply.parse({ rotation: rotationOf(['offered', 'offered']), version: 7 }),
    };
  }
  return { status: 404, body: { error: { code: 'request.notFound', message: `${method} ${url}` } } };
};

async function run(handler: Handler, ...args: readonly string[]) {
  await using server = await serve(handler);
  const ended = await vrouterctl(args, { VROUTER_CONTROLLER: server.at });
  return { ...ended, seen: [...server.seen] };
}

/** The public key of a private one in base64. */
function publicOf(privateKey: string): string {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const der = Buffer.concat([prefix, Buffer.from(privateKey, 'base64')]);
  const spki = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  return spki.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
}

test('all peers: a file for each, which has the keys whose public parts the controller was told', async () => {
  const dir = fresh();
  const { status, out, seen } = await run(
    controller,
    'peer',
    'rotate',
    'e',
    '--all',
    '--out-dir',
    dir,
    '--pace',
    '2',
    '--deadline',
    '7d',
  );
  assert.equal(status, 0);
  assert.match(out, /2 files written/);
  assert.match(out, /p0 +offered/);
  const asked = startRotationRequest.parse(seen.at(-1)!.body);
  assert.deepEqual([asked.what, asked.pace, asked.deadlineSeconds, asked.atDeadline], ['key+psk', 2, 604_800, 'keep']);
  assert.deepEqual(readdirSync(dir).sort(), ['phone.conf', 'tv.conf']);
  for (const { peer, publicKey, presharedKey } of asked.peers) {
    const path = join(dir, `${peer}.conf`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const text = readFileSync(path, 'utf8');
    assert.equal(publicOf(/^PrivateKey = (\S+)$/m.exec(text)![1]!), publicKey);
    assert.equal(/^PresharedKey = (\S+)$/m.exec(text)![1], presharedKey);
    assert.match(text, /^PersistentKeepalive = 25$/m);
  }
  assert.notEqual(asked.peers[0]!.publicKey, asked.peers[1]!.publicKey);
});

test('one peer: its file is printed once; --json has it as a member', async () => {
  const { status, out, err, seen } = await run(controller, 'peer', 'rotate', 'e', 'phone', '--only', 'key', '--force');
  assert.equal(status, 0);
  const asked = startRotationRequest.parse(seen.at(-1)!.body);
  assert.deepEqual([asked.what, asked.atDeadline, asked.peers[0]!.presharedKey], ['key', 'cutOver', undefined]);
  assert.equal(publicOf(/^PrivateKey = (\S+)$/m.exec(out)![1]!), asked.peers[0]!.publicKey);
  assert.doesNotMatch(out, /PresharedKey/);
  assert.match(err, /shown this once/);
  const json = await run(controller, 'peer', 'rotate', 'e', 'phone', '--only', 'psk', '--json');
  const said = JSON.parse(json.out) as { config: string; rotation: { id: string } };
  const { presharedKey } = startRotationRequest.parse(json.seen.at(-1)!.body).peers[0]!;
  assert.deepEqual([said.config, said.rotation.id], [`PresharedKey = ${presharedKey}\n`, 'r1']);
  const own = await run(controller, 'peer', 'rotate', 'e', 'phone', '--only', 'key', '--public-key', key(7));
  assert.deepEqual(startRotationRequest.parse(own.seen.at(-1)!.body).peers, [{ peer: 'phone', publicKey: key(7) }]);
  assert.doesNotMatch(own.out, /PrivateKey/);
});

test('a refusal leaves no files; silence does, since the controller may wait for their keys', async () => {
  const refusing: Handler = (seen, response) =>
    seen.method === 'POST'
      ? { status: 409, body: { error: { code: 'rotation.open', message: 'in another' } } }
      : controller(seen, response);
  const dir = fresh();
  const refused = await run(refusing, 'peer', 'rotate', 'e', 'phone', 'tv', '--out-dir', dir);
  assert.deepEqual([refused.status, readdirSync(dir)], [1, []]);
  const silent: Handler = (seen, response) => {
    if (seen.method !== 'POST') return controller(seen, response);
    response.destroy();
    return null;
  };
  const lost = await run(silent, 'peer', 'rotate', 'e', 'phone', 'tv', '--out-dir', dir);
  assert.deepEqual([lost.status, readdirSync(dir).sort()], [1, ['phone.conf', 'tv.conf']]);
  // Nothing is written over.
  const again = await run(controller, 'peer', 'rotate', 'e', 'tv', '--out-dir', dir);
  assert.match(again.err, /data\.unwritable/);
  assert.ok(again.seen.every(({ method }) => method === 'GET'));
  const other = fresh();
  writeFileSync(other, '');
  assert.match((await run(controller, 'peer', 'rotate', 'e', 'tv', '--out-dir', other)).err, /data\.unwritable/);
});

test('no name of a peer leads out of the folder', async () => {
  const evil: Handler = (seen, response) =>
    seen.method === 'GET' && seen.url.includes('/peers/') ? { body: peerOf('../evil', 1) } : controller(seen, response);
  const dir = fresh();
  const { status, err } = await run(evil, 'peer', 'rotate', 'e', 'x', '--out-dir', dir);
  assert.deepEqual([status, /name\.invalid/.test(err), existsSync(join(folder, 'evil.conf'))], [2, true, false]);
});

for (const [command, why] of [
  ['peer rotate e', /name the peers, or say --all/],
  ['peer rotate e phone --all', /not both/],
  ['peer rotate e phone tv', /say --out-dir/],
  ['peer rotate e phone --public-key k', /with --only key/],
  ['peer rotate e phone --deadline soon', /a span of time/],
  ['peer rotate e phone --pace 0', /from 1 to 1000/],
] as const)
  test(`wrong usage: ${command}`, async () => {
    const { status, err, seen } = await run(controller, ...command.split(' '));
    assert.equal(status, 2);
    assert.match(err, why);
    assert.deepEqual(seen, []);
  });

test('show --wait tells how far it is, and fails when somebody has not changed', async () => {
  const script: RotationPeerState[][] = [
    ['offered', 'offered'],
    ['switched', 'offered'],
    ['switched', 'straggler'],
  ];
  let looks = 0;
  const handler: Handler = () => ({
    body: rotationReply.parse({ rotation: rotationOf(script[Math.min(looks++, 2)]!) }),
  });
  const { status, out, err } = await run(handler, 'rotation', 'show', 'e', 'r1', '--wait');
  assert.equal(status, 1);
  assert.match(err, /2 offered\n1 offered, 1 switched\n1 switched, 1 straggler\nerror: 1 of 2 peers have not changed/);
  assert.match(out, /p1 +straggler/);
  const done: Handler = () => ({ body: rotationReply.parse({ rotation: rotationOf(['switched']) }) });
  assert.equal((await run(done, 'rotation', 'show', 'e', 'r1', '--wait')).status, 0);
});

test('list, cancel and force', async () => {
  const { peers: _, ...rotation } = rotationOf(['switched', 'straggler']);
  const listed = await run(() => ({ body: { rotations: [rotation], next: null } }), 'rotation', 'list', 'e');
  assert.match(listed.out, /r1 +key\+psk +straggling +1 +0 +1 /);
  for (const verb of ['cancel', 'force'] as const) {
    const handler: Handler = () => ({ body: { rotation: rotationOf(['switched']), version: 8 } });
    const some = await run(handler, 'rotation', verb, 'e', 'r1', 'phone', 'tv');
    assert.deepEqual(
      [some.status, some.seen[0]!.method, some.seen[0]!.url],
      [0, 'POST', `/v1/vrouters/e/rotations/r1/${verb}`],
    );
    assert.deepEqual(rotationPeersRequest.parse(some.seen[0]!.body), { peers: ['phone', 'tv'] });
    assert.deepEqual((await run(handler, 'rotation', verb, 'e', 'r1')).seen[0]!.body, {});
  }
});
