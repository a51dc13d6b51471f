/** Pages of lists: what is there all the time is seen once, whatever comes and goes between them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createPublishedPortRequest } from '@vrouter/api/rest/nat.ts';
import type { PageQuery } from '@vrouter/api/rest/paging.ts';
import { createPeerRequest, type PeerList } from '@vrouter/api/rest/peers.ts';
import type { AuditList } from '@vrouter/api/rest/system.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import fc from 'fast-check';
import type { PluginTransformResultArgs } from 'kysely';
import { createPublishedPort, listPublishedPorts, removePublishedPort } from '../desk/nat.ts';
import type { Page, Paged } from '../desk/page.ts';
import { createPeer, listPeers, removePeer } from '../desk/peers.ts';
import { createVrouter, listVrouters, removeVrouter } from '../desk/vrouters.ts';
import { insertPeer } from '../store/peers.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { cursorText, paged, readCursor } from './cursor.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-paging-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open(): Promise<TestDesk> {
  const desk = await openDesk(join(folder, `${files++}.db`));
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'v', networks: ['10.0.0.0/16'] }));
  return desk;
}

function key(n: number): string {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32BE(n);
  return bytes.toString('base64');
}

/** A list that a test fills: rows by number, and how they are named in it. */
interface Kind {
  add(desk: TestDesk, n: number): Promise<unknown>;
  remove(desk: TestDesk, n: number): Promise<unknown>;
  read(desk: TestDesk, page: Page): Promise<Paged<string>> | Paged<string>;
  named(n: number): string;
}

const named = <T>({ rows, next }: Paged<T>, of: (row: T) => string): Paged<string> => ({ rows: rows.map(of), next });
// Names that sort otherwise than their numbers, some the beginning of others.
const odd = (n: number): string => `n${(n * 7) % 10}${n % 3 === 0 ? '' : `-${n}`}${n % 3 === 0 ? `.${n}` : ''}`;

const peers: Kind = {
  add: (desk, n) => createPeer(desk, tester, 'v', createPeerRequest.parse({ name: odd(n), publicKey: key(n) })),
  remove: (desk, n) => removePeer(desk, tester, 'v', odd(n)),
  read: async (desk, page) => named(await listPeers(desk, 'v', page), (row) => row.name),
  named: odd,
};

const kinds: { readonly [name: string]: Kind } = {
  peers,
  'published ports': {
    add: (desk, n) =>
      createPublishedPort(
        desk,
        tester,
        'v',
        createPublishedPortRequest.parse({ protocol: 'tcp', hostPort: 7 * n + 1, address: '10.0.0.9', port: 80 }),
      ),
    remove: (desk, n) =>
      removePublishedPort(desk, tester, 'v', {
        vrf: 'default',
        hostAddress: '*',
        protocol: 'tcp',
        hostPort: String(7 * n + 1),
      }),
    read: (desk, page) => named(listPublishedPorts(desk, 'v', page), (row) => String(row.hostPort)),
    named: (n) => String(7 * n + 1),
  },
  vrouters: {
    add: (desk, n) => createVrouter(desk, tester, createVrouterRequest.parse({ name: odd(n) })),
    remove: (desk, n) => removeVrouter(desk, tester, odd(n)),
    read: async (desk, page) => {
      const { rows, next } = await listVrouters(desk, page);
      return { rows: rows.map((row) => row.name).filter((name) => name !== 'v'), next };
    },
    named: odd,
  },
};

for (const [list, kind] of Object.entries(kinds))
  test(`${list}: what is there all the time is seen once, in an order that stays`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat(24), { maxLength: 16 }),
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.array(fc.nat(24), { maxLength: 3 }), { maxLength: 12 }),
        async (first, limit, toggles) => {
          const desk = await open();
          const there = new Set<number>();
          const everThere = new Set<number>();
          const always = new Set(first);
          const toggle = async (n: number): Promise<void> => {
            if (there.has(n)) {
              await kind.remove(desk, n);
              there.delete(n);
              always.delete(n);
            } else {
              await kind.add(desk, n);
              there.add(n);
              everThere.add(n);
            }
          };
          for (const n of first) await toggle(n);
          const seen: string[] = [];
          let cursor: string | null = null;
          for (let page = 0; page === 0 || cursor !== null; page++) {
            const query: PageQuery = cursor === null ? { limit } : { limit, cursor };
            const { rows, next } = await paged(list, query, (which) => kind.read(desk, which));
            assert.ok(rows.length <= limit);
            seen.push(...rows);
            cursor = next;
            for (const n of toggles[page] ?? []) await toggle(n);
          }
          assert.equal(new Set(seen).size, seen.length, 'nothing twice');
          for (const n of always) assert.ok(seen.includes(kind.named(n)), `${kind.named(n)} was there all the time`);
          const known = new Set([...everThere].map(kind.named));
          for (const one of seen) assert.ok(known.has(one), `${one} was never there`);
          if (list !== 'published ports') assert.deepEqual(seen, seen.toSorted());
          await desk.db.destroy();
        },
      ),
      { numRuns: 25 },
    );
  });

test('ten thousand peers are listed without more than a page in hand', async () => {
  const plain = await open();
  await plain.desired.change('v', tester, 'test', async (tx, draft, head) => {
    for (let n = 0; n < 10_000; n++) {
      const name = `p${n}`;
      const publicKey = key(n + 1);
      draft.put({
        kind: 'peer',
        interface: 'wg0',
        publicKey,
        name,
        presharedKey: null,
        allowedIps: [],
        endpoint: null,
        persistentKeepalive: 0,
      });
      await insertPeer(tx, { vrouterId: head.row.id, name, publicKey, addresses: '[]', createdUnixMs: 0 });
    }
  });
  let most = 0;
  const counting = {
    transformQuery: <T extends { readonly node: unknown }>({ node }: T) => node as never,
    transformResult: async ({ result }: PluginTransformResultArgs) => {
      most = Math.max(most, result.rows.length);
      return result;
    },
  };
  const desk = { ...plain, db: plain.db.withPlugin(counting) };
  const rest = await Rest.over(desk);
  const seen = new Set<string>();
  let last = '';
  let pages = 0;
  for (let cursor: string | null | undefined = ''; cursor !== null && cursor !== undefined; pages++) {
    const answer = await rest.call('GET', `/v1/vrouters/v/peers?limit=250${cursor && `&cursor=${cursor}`}`);
    assert.equal(answer.status, 200);
    const { peers: rows, next } = answer.json as PeerList;
    for (const { name } of rows) {
      assert.ok(name > last, 'in the order of names');
      last = name;
      seen.add(name);
    }
    cursor = next;
  }
  assert.deepEqual([seen.size, pages, most], [10_000, 40, 251]);
  await plain.db.destroy();
});

test('the audit is read backwards while it grows', async () => {
  const desk = await open();
  const rest = await Rest.over(desk);
  for (let n = 0; n < 20; n++) await peers.add(desk, n);
  const before = (await desk.db.selectFrom('audit').select('id').orderBy('id', 'desc').execute()).map((row) => row.id);
  const seen: number[] = [];
  let cursor: string | null | undefined = '';
  for (let n = 20; cursor !== null && cursor !== undefined; n++) {
    const answer = await rest.call('GET', `/v1/audit?limit=7${cursor && `&cursor=${cursor}`}`);
    const { audit, next } = answer.json as AuditList;
    seen.push(...audit.map((row) => row.id));
    cursor = next;
    await peers.add(desk, n);
  }
  assert.deepEqual(seen, before);
  await desk.db.destroy();
});

test('what is no cursor of this list, and no limit, is refused', async () => {
  const desk = await open();
  for (let n = 0; n < 3; n++) await peers.add(desk, n);
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'w' }));
  const rest = await Rest.over(desk);
  const { next } = (await rest.call('GET', '/v1/vrouters/v/peers?limit=2')).json as PeerList;
  for (const [path, field] of [
    ['/v1/vrouters/v/peers?cursor=', 'cursor'],
    ['/v1/vrouters/v/peers?cursor=x', 'cursor'],
    [`/v1/vrouters/v/peers?cursor=${next}x`, 'cursor'],
    [`/v1/vrouters/w/peers?cursor=${next}`, 'cursor'],
    [`/v1/vrouters/v/routes?cursor=${next}`, 'cursor'],
    [`/v1/vrouters?cursor=${next}`, 'cursor'],
    [`/v1/audit?cursor=${next}`, 'cursor'],
    [`/v1/vrouters/v/peers?cursor=${'x'.repeat(1025)}`, 'cursor'],
    ['/v1/vrouters/v/peers?limit=0', 'limit'],
    ['/v1/vrouters/v/peers?limit=1001', 'limit'],
    ['/v1/vrouters/v/peers?limit=1.5', 'limit'],
    ['/v1/vrouters/v/peers?limit=all', 'limit'],
    ['/v1/vrouters/v/peers?offset=3', 'offset'],
  ] as const) {
    const answer = await rest.call('GET', path);
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'input.invalid'], path);
    assert.equal((answer.json as { error: { field?: string } }).error.field, field, path);
  }
  for (const list of ['', '/v', '/v/peers', '/v/routes', '/v/vrfs', '/v/host-interfaces', '/v/ports', '/v/masquerades'])
    assert.equal((await rest.call('GET', `/v1/vrouters${list && list}?limit=1`)).status, 200, list);
  assert.equal((await rest.call('GET', `/v1/vrouters/v/peers?cursor=${next}`)).status, 200);
  await desk.db.destroy();
});

test('a cursor is what was given, for its list alone', () => {
  for (const name of ['', 'a', 'ü', '"', 'x'.repeat(200)]) assert.equal(readCursor('l', cursorText('l', name)), name);
  assert.equal(readCursor('m', cursorText('l', 'a')), null);
  assert.equal(readCursor('l', Buffer.from('["l", "a"]').toString('base64url')), null, 'the same otherwise written');
});
