/** ETags, If-None-Match and If-Match: who changes what they do not know any more is refused, and of two at once one wins. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ChangePeerReply, PeerReply } from '@vrouter/api/rest/peers.ts';
import type { Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openDesk } from '../testing/store.ts';
import { configurationOf, matchesWeakly, parseEntityTags } from './entity-tag.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-etags-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** The vrouter `v` with one of everything. */
async function open() {
  const desk = await openDesk(join(folder, `${files++}.db`));
  const rest = await Rest.over(desk);
  for (const [path, body] of [
    ['', { name: 'v' }],
    ['/v/peers', { name: 'a', publicKey: Buffer.alloc(32, 1).toString('base64') }],
    ['/v/vrfs', { name: 'blue' }],
    ['/v/routes', { prefix: '10.5.0.0/16', blackhole: true }],
    ['/v/host-interfaces', { name: 'host0', addresses: ['10.99.0.1/24'] }],
    ['/v/ports', { name: 'lan', device: 'eth1', addresses: ['192.168.1.1/24'] }],
    ['/v/masquerades', { prefix: '10.77.0.0/24' }],
    ['/v/published-ports', { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080 }],
    ['/v/floating-ips', { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.3' }],
  ] as const) {
    const made = await rest.call('POST', `/v1/vrouters${path}`, body);
    assert.equal(made.status, 201, made.text);
    assert.match(String(made.headers.etag), /^"[\w-]{22}\.[\w-]{12}"$/, `${path} has a tag`);
  }
  return { desk, rest };
}

const singles = [
  '',
  '/peers/a',
  '/host-interfaces/host0',
  '/ports/lan',
  '/masquerades/default/10.77.0.0%2F24',
  '/published-ports/default/*/tcp/80',
  '/floating-ips/mail',
  '/nat-settings',
].map((path) => `/v1/vrouters/v${path}`);

test('who has an answer already gets 304; clocks do not count, what is shown does', async () => {
  const { desk, rest } = await open();
  for (const url of [...singles, '/v1/vrouters/v/peers', '/v1/vrouters/v/peers/a/wg-quick', '/v1/vrouters/v/vrfs']) {
    const first = await rest.call('GET', url);
    const tag = String(first.headers.etag);
    assert.match(tag, /^(W\/)?"[^"]+"$/, url);
    desk.clock.unixMs += 1000;
    for (const ask of [tag, `"x", ${tag}`, '*', tag.replace(/^W\//, '')]) {
      const again = await rest.call('GET', url, undefined, { 'if-none-match': ask });
      assert.deepEqual([again.status, again.text, again.headers.etag], [304, '', tag], url);
    }
    assert.equal((await rest.call('GET', url, undefined, { 'if-none-match': '"x"' })).status, 200);
    assert.equal((await rest.call('HEAD', url, undefined, { 'if-none-match': tag })).status, 304);
  }
  const url = '/v1/vrouters/v/peers/a';
  const before = await rest.call('GET', url);
  // What a gateway tells is part of what is shown, and no part of what is changed.
  const head = desk.desired.get('v');
  const row = {
    id: 'g',
    vrouterId: head.row.id,
    wireguardPublicKey: Buffer.alloc(32, 9).toString('base64'),
    hostname: 'h',
    softwareVersion: '0.1.0',
    plane: null,
    registeredUnixMs: 0,
    revokedUnixMs: null,
    lastPollUnixMs: null,
    storedVersion: null,
    appliedVersion: null,
    tokenId: 't',
    csrFingerprint: 'c',
    joinReply: '{}',
    told: null,
  };
  desk.roster.add(row, null);
  const told = await rest.call('GET', url, undefined, { 'if-none-match': String(before.headers.etag) });
  assert.equal(told.status, 200);
  assert.equal((told.json as PeerReply).peer.etag, (before.json as PeerReply).peer.etag);
  const patch = { persistentKeepalive: 25 };
  assert.equal((await rest.call('PATCH', url, patch, { 'if-match': String(before.headers.etag) })).status, 200);
  await desk.db.destroy();
});

test('the answer to a change has the tag that is read afterwards', async () => {
  const { desk, rest } = await open();
  for (const [url, body] of [
    ['/v1/vrouters/v', { mtu: 1400 }],
    ['/v1/vrouters/v/peers/a', { persistentKeepalive: 5 }],
    ['/v1/vrouters/v/nat-settings', { udpSeconds: 100 }],
  ] as const) {
    const before = await rest.call('GET', url);
    const changed = await rest.call('PATCH', url, body, { 'if-match': String(before.headers.etag) });
    assert.equal(changed.status, 200, changed.text);
    assert.notEqual(changed.headers.etag, before.headers.etag);
    assert.equal((await rest.call('GET', url)).headers.etag, changed.headers.etag);
    const same = await rest.call('PATCH', url, body, { 'if-match': String(changed.headers.etag) });
    assert.deepEqual([same.status, same.headers.etag], [200, changed.headers.etag], 'nothing new, no other tag');
  }
  await desk.db.destroy();
});

test('a preshared key that is another is another tag, though nobody sees either', async () => {
  const { desk, rest } = await open();
  const url = '/v1/vrouters/v/peers/a';
  const set = async (n: number) => {
    const { peer } = (await rest.call('PATCH', url, { presharedKey: Buffer.alloc(32, n).toString('base64') }))
      .json as ChangePeerReply;
    assert.ok(peer.hasPresharedKey);
    return peer.etag;
  };
  const first = await set(1);
  assert.notEqual(await set(2), first);
  assert.equal(await set(1), first);
  await desk.db.destroy();
});

test('a wrong If-Match changes nothing, whatever it is of', async () => {
  const { desk, rest } = await open();
  const { version } = desk.desired.get('v');
  const paths = [...singles, '/v1/vrouters/v/vrfs/blue', '/v1/vrouters/v/routes?prefix=10.5.0.0/16'];
  for (const url of paths)
    for (const tag of ['"x"', '"x", "y.z"', 'W/"x"']) {
      const refused = await rest.call('DELETE', url, undefined, { 'if-match': tag });
      assert.deepEqual([refused.status, codeOf(refused)], [412, 'request.outdated'], url);
    }
  for (const [url, body] of [
    ['/v1/vrouters/v', { mtu: 1400 }],
    ['/v1/vrouters/v/peers/a', { name: 'b' }],
    ['/v1/vrouters/v/nat-settings', { udpSeconds: 100 }],
  ] as const) {
    const { etag } = (await rest.call('GET', url)).headers;
    for (const tag of ['"x"', `W/${String(etag)}`])
      assert.equal((await rest.call('PATCH', url, body, { 'if-match': tag })).status, 412, `${url} ${tag}`);
    const bad = await rest.call('PATCH', url, body, { 'if-match': 'x' });
    assert.deepEqual([bad.status, codeOf(bad)], [400, 'input.invalid']);
  }
  assert.equal(desk.desired.get('v').version, version);
  // The right ones, of what lists show and of what is shown alone; the vrouter last.
  const etagIn = (json: unknown): string =>
    (
      Object.values(json as object).find((one) => typeof one === 'object' && one !== null && 'etag' in one) as {
        etag: string;
      }
    ).etag;
  for (const url of singles.slice(1)) {
    const tag = `"${etagIn((await rest.call('GET', url)).json)}"`;
    assert.equal((await rest.call('DELETE', url, undefined, { 'if-match': `"x", ${tag}` })).status, 200, url);
  }
  for (const [list, url] of [
    ['vrfs', '/v1/vrouters/v/vrfs/blue'],
    ['routes', '/v1/vrouters/v/routes?prefix=10.5.0.0/16'],
  ] as const) {
    const rows = ((await rest.call('GET', `/v1/vrouters/v/${list}`)).json as { [list]: { etag: string }[] })[list]!;
    const ask = { 'if-match': `"${rows.at(-1)!.etag}"` };
    assert.equal((await rest.call('DELETE', url, undefined, ask)).status, 200, url);
  }
  const { etag } = (await rest.call('GET', '/v1/vrouters/v')).json as Vrouter;
  assert.equal((await rest.call('DELETE', '/v1/vrouters/v', undefined, { 'if-match': `"${etag}"` })).status, 200);
  await desk.db.destroy();
});

test('of two who change the same at once exactly one wins', async () => {
  const { desk, rest } = await open();
  const url = '/v1/vrouters/v/peers/a';
  for (let round = 0; round < 30; round++) {
    const etag = String((await rest.call('GET', url)).headers.etag);
    const before = desk.desired.get('v').version;
    const wants = [round * 2 + 1, round * 2 + 2];
    const answers = await Promise.all(
      wants.map((persistentKeepalive) => rest.call('PATCH', url, { persistentKeepalive }, { 'if-match': etag })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 412]);
    const winner = answers.findIndex(({ status }) => status === 200);
    const { peer } = (await rest.call('GET', url)).json as PeerReply;
    assert.equal(peer.persistentKeepalive, wants[winner]);
    assert.equal(desk.desired.get('v').version, before + 1);
  }
  const etag = String((await rest.call('GET', url)).headers.etag);
  const [patched, removed] = await Promise.all([
    rest.call('PATCH', url, { persistentKeepalive: 999 }, { 'if-match': etag }),
    rest.call('DELETE', url, undefined, { 'if-match': etag }),
  ]);
  // Whoever came second finds another one, or none.
  assert.ok([patched.status, removed.status].filter((status) => status === 200).length === 1);
  assert.equal(patched.status === 200 ? removed.status : patched.status, patched.status === 200 ? 412 : 404);
  const vrouter = String((await rest.call('GET', '/v1/vrouters/v')).headers.etag);
  const networks = (n: number) => ['10.77.0.0/24', 'fd77::/64', `10.${n}.0.0/16`];
  const grown = await Promise.all(
    [100, 101].map((n) => rest.call('PATCH', '/v1/vrouters/v', { networks: networks(n) }, { 'if-match': vrouter })),
  );
  assert.deepEqual(grown.map(({ status }) => status).sort(), [200, 412]);
  await desk.db.destroy();
});

for (const [text, expected] of [
  ['*', '*'],
  [' * ', '*'],
  ['"a"', ['a']],
  ['""', ['']],
  ['"a.b" , W/"c"', ['a.b', 'W/c']],
  [', "a",, "b",', ['a', 'b']],
  ['', null],
  [',', null],
  ['a', null],
  ['"a', null],
  ['"a" "b"', null],
  ['w/"a"', null],
  ['"a", *', null],
  [Array(65).fill('"a"').join(), null],
  [`"${'x'.repeat(257)}"`, null],
] as const)
  test(`entity tags ${JSON.stringify(text.slice(0, 40))}`, () => {
    const read = parseEntityTags(text, 'if-match');
    const shown = !read.ok
      ? null
      : read.value === '*'
        ? '*'
        : read.value.map(({ weak, tag }) => (weak ? `W/${tag}` : tag));
    assert.deepEqual(shown, expected);
  });

test('what tags are compared by', () => {
  assert.equal(configurationOf('a.b'), 'a');
  assert.equal(configurationOf('a'), 'a');
  assert.ok(matchesWeakly([{ weak: true, tag: 'a' }], '"a"'));
  assert.ok(matchesWeakly([{ weak: false, tag: 'a' }], 'W/"a"'));
  assert.ok(!matchesWeakly([{ weak: false, tag: 'a' }], '"a.b"'));
});
