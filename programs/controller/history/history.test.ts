import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { GatewayStats, PeerStats } from '@vrouter/api/agent/agent.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import fc from 'fast-check';
import { showHistory } from '../desk/history.ts';
import { createPeer, removePeer } from '../desk/peers.ts';
import { createVrouter, removeVrouter } from '../desk/vrouters.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { History } from './history.ts';
import { grown, nothingPassed, type Reading } from './meter.ts';
import { MOST_POINTS, peerTiers, stepStart, tierFor, totalTiers } from './tiers.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-history-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The beginning of a day. */
const START = 20_000 * DAY_MS;
const keyOf = (n: number): string =>
  Buffer.alloc(32, 7)
    .fill(n & 255, 0, 1)
    .fill(n >> 8, 1, 2)
    .toString('base64');

interface Stage {
  readonly desk: TestDesk;
  readonly history: History;
  readonly vrouterId: string;
  /** Another controller on the same store, or the same one after it was killed. */
  again(): History;
  tell(history: History, epoch: string, rx: readonly number[], drops?: number): void;
  points(wish?: Parameters<typeof showHistory>[2]): Promise<[at: number, rx: number, drops: number][]>;
}

async function stage(peers: number): Promise<Stage> {
  const desk = await openDesk(join(folder, `${files++}.db`), { unixMs: START });
  const { vrouter } = await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'edge' }));
  for (let n = 0; n < peers; n++)
    await createPeer(desk, tester, 'edge', {
      name: `p${n}`,
      publicKey: keyOf(n),
      presharedKey: null,
      allowedIps: [],
      endpoint: null,
      persistentKeepalive: 0,
    });
  const again = (): History => new History(desk.db, desk.unixMs);
  return {
    desk,
    history: again(),
    vrouterId: vrouter.id,
    again,
    tell: (history, epoch, rx, drops = 0) => {
      const stats = rx.map(
        (rxBytes, n): PeerStats => ({
          interface: 'wg0',
          publicKey: keyOf(n),
          endpoint: null,
          lastHandshakeUnixMs: null,
          rxBytes,
          txBytes: 2 * rxBytes,
          rxPackets: Math.ceil(rxBytes / 100),
          txPackets: 0,
        }),
      );
      const told: GatewayStats = {
        epoch,
        peers: stats,
        drops: { a: drops, b: 0 },
        objects: 0,
        reconciles: 0,
        driftRepaired: 0,
      };
      history.hear(vrouter.id, told, () => true);
    },
    points: async (wish = {}) => {
      const { points } = await showHistory(desk, 'edge', wish);
      return points.map(({ atUnixMs, rxBytes, drops }) => [(atUnixMs - START) / MINUTE_MS, rxBytes, drops]);
    },
  };
}

describe('growth', () => {
  const reading = (epoch: string, atUnixMs: number, rxBytes: number): Reading => ({
    ...nothingPassed,
    epoch,
    atUnixMs,
    rxBytes,
  });
  const rows: readonly (readonly [title: string, before: Reading | null, now: Reading, rx: number | null])[] = [
    ['the first reading', null, reading('a', 1, 500), 0],
    ['more', reading('a', 1, 500), reading('a', 2, 700), 200],
    ['the same', reading('a', 1, 500), reading('a', 2, 500), 0],
    ['counting began anew', reading('a', 1, 500), reading('b', 2, 700), 700],
    ['the peer was added again', reading('a', 1, 500), reading('a', 2, 30), 30],
    ['not later', reading('a', 2, 500), reading('a', 2, 700), null],
  ];
  for (const [title, before, now, rx] of rows) test(title, () => assert.equal(grown(before, now)?.rxBytes ?? null, rx));
});

test('what passed falls into the minute of its telling, once, however often it is told', async () => {
  const { desk, history, tell, points } = await stage(2);
  tell(history, 'e', [1000, 0]);
  await history.flush();
  for (const [minute, rx, drops] of [
    [1, [1500, 10], 3],
    [1, [1500, 10], 3],
    [2, [1500, 10], 3],
    [5, [2500, 40], 4],
  ] as const) {
    desk.clock.unixMs = START + minute * MINUTE_MS;
    tell(history, 'e', rx, drops);
    await history.flush();
    await history.flush();
  }
  desk.clock.unixMs += MINUTE_MS;
  assert.deepEqual(await points(), [
    [1, 510, 3],
    [5, 1030, 1],
  ]);
  assert.deepEqual(await points({ peer: 'p1' }), [
    [0, 10, 0],
    [5, 30, 0],
  ]);
  assert.deepEqual(await points({ peer: keyOf(0), fromUnixMs: START + 5 * MINUTE_MS }), [[5, 1000, 0]]);
});

test('what passes before the first flush counts from the first telling on', async () => {
  const { desk, history, tell, points } = await stage(2);
  for (const rx of [100, 250, 400, 1000]) {
    tell(history, 'e', [rx, 0], rx / 100);
    desk.clock.unixMs += 5000;
  }
  await history.flush();
  assert.deepEqual(await points(), [[0, 900, 9]]);
  assert.deepEqual(await points({ peer: 'p0' }), [[0, 900, 0]]);
});

test('a new epoch between two flushes loses nothing', async () => {
  const { desk, history, tell, points } = await stage(1);
  tell(history, 'e', [100]);
  await history.flush();
  for (const [epoch, rx] of [
    ['e', 150],
    ['e', 170],
    ['f', 20],
    ['f', 60],
    ['g', 5],
  ] as const) {
    desk.clock.unixMs += 1000;
    tell(history, epoch, [rx]);
  }
  await history.flush();
  desk.clock.unixMs += MINUTE_MS;
  assert.deepEqual(await points(), [[0, 70 + 60 + 5, 0]]);
});

test('a controller that is killed loses nothing, and two on one store count nothing twice', async () => {
  const { desk, history, again, tell, points } = await stage(1);
  tell(history, 'e', [100]);
  await history.flush();
  desk.clock.unixMs = START + MINUTE_MS;
  tell(history, 'e', [300]);
  // Killed before it wrote; the gateway goes on with another, and then with one that has an old reading still to write.
  const [second, late] = [again(), again()];
  tell(late, 'e', [350]);
  desk.clock.unixMs = START + 2 * MINUTE_MS;
  tell(second, 'e', [900]);
  await second.flush();
  await late.flush();
  desk.clock.unixMs = START + 3 * MINUTE_MS;
  tell(late, 'e', [1000]);
  await late.flush();
  desk.clock.unixMs += MINUTE_MS;
  assert.deepEqual(await points(), [
    [2, 800, 0],
    [3, 100, 0],
  ]);
});

test('whatever is told in whatever order, what passed adds up to what was counted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(5), fc.nat(500), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 30 }),
      async (events) => {
        const { desk, history, tell, points } = await stage(1);
        let epoch = 0;
        let counted = 0;
        let passed = 0;
        tell(history, '0', [0]);
        await history.flush();
        for (const [minutes, bytes, isNew, flush] of events) {
          desk.clock.unixMs += minutes * MINUTE_MS + 1;
          if (isNew) {
            epoch++;
            counted = 0;
          }
          counted += bytes;
          passed += bytes;
          tell(history, String(epoch), [counted]);
          if (flush) await history.flush();
        }
        await history.flush();
        desk.clock.unixMs += 1;
        const total = (await points({ fromUnixMs: START })).reduce((sum, [, rx]) => sum + rx, 0);
        assert.equal(total, passed);
      },
    ),
    { numRuns: 30 },
  );
});

test('thousands of peers are written in pieces, and silent ones not at all', async () => {
  const { desk, history, tell, vrouterId } = await stage(1);
  const told = Array.from({ length: 1000 }, () => 0);
  tell(history, 'e', told);
  await history.flush();
  desk.clock.unixMs += MINUTE_MS;
  tell(
    history,
    'e',
    told.map((_, n) => (n % 4 === 0 ? n : 0)),
  );
  await history.flush();
  const rows = await desk.db.selectFrom('samples').select('series').where('vrouterId', '=', vrouterId).execute();
  assert.equal(rows.filter(({ series }) => series !== '').length, 249 * peerTiers.length);
  assert.equal(rows.filter(({ series }) => series === '').length, totalTiers.length);
});

test('old steps go, peers and vrouters that are deleted are no trouble', async () => {
  const { desk, history, tell, points } = await stage(1);
  tell(history, 'e', [0]);
  await history.flush();
  desk.clock.unixMs += 1;
  tell(history, 'e', [100]);
  await history.flush();
  desk.clock.unixMs = START + 25 * HOUR_MS;
  await history.prune();
  assert.deepEqual(
    (await points({ fromUnixMs: START })).map(([at]) => at),
    [0],
    'by the quarter hour it is still known',
  );
  const steps = await desk.db.selectFrom('samples').select('stepMs').distinct().orderBy('stepMs').execute();
  assert.deepEqual(
    steps.map(({ stepMs }) => stepMs),
    [15 * MINUTE_MS, HOUR_MS, DAY_MS],
  );
  desk.clock.unixMs = START + 800 * DAY_MS;
  await history.prune();
  assert.equal((await desk.db.selectFrom('samples').selectAll().execute()).length, 0);
  assert.equal((await desk.db.selectFrom('meters').selectAll().execute()).length, 0);
  tell(history, 'e', [200]);
  await removePeer(desk, tester, 'edge', 'p0');
  await history.flush();
  tell(history, 'e', [300]);
  await removeVrouter(desk, tester, 'edge');
  await history.flush();
  await history.flush();
  assert.equal((await desk.db.selectFrom('samples').selectAll().execute()).length, 0);
});

describe('the tier that answers', () => {
  const now = START + DAY_MS;
  const rows = [
    ['the last hour', totalTiers, HOUR_MS, MINUTE_MS],
    ['the last day', totalTiers, DAY_MS, MINUTE_MS],
    ['a bit more than a day', totalTiers, DAY_MS + MINUTE_MS, 15 * MINUTE_MS],
    ['ten days', totalTiers, 10 * DAY_MS, 15 * MINUTE_MS],
    ['a month has too many quarters', totalTiers, 30 * DAY_MS, DAY_MS],
    ['ten years', totalTiers, 3650 * DAY_MS, DAY_MS],
    ["a peer's day", peerTiers, DAY_MS, 5 * MINUTE_MS],
    ["a peer's month", peerTiers, 30 * DAY_MS, HOUR_MS],
  ] as const;
  for (const [title, tiers, backMs, stepMs] of rows)
    test(title, () => assert.equal(tierFor(tiers, now - backMs, now, now).stepMs, stepMs));

  test('no answer is longer than it may be, but where history is at its coarsest', () => {
    fc.assert(
      fc.property(fc.nat(1000 * DAY_MS), fc.nat(1000 * DAY_MS), (a, b) => {
        const [from, until] = [Math.min(a, b), Math.max(a, b) + 1];
        const { stepMs } = tierFor(totalTiers, from, until, 1000 * DAY_MS);
        assert.ok((until - stepStart(from, stepMs)) / stepMs <= MOST_POINTS + 1 || stepMs === DAY_MS);
      }),
    );
  });
});

test('questions that have no answer are refused', async () => {
  const { desk } = await stage(1);
  const refused = (wish: Parameters<typeof showHistory>[2], code: string) =>
    assert.rejects(
      showHistory(desk, 'edge', wish),
      (thrown: unknown) => thrown instanceof ProblemError && thrown.problem.code === code,
    );
  await refused({ peer: 'nobody' }, 'peer.notFound');
  await refused({ fromUnixMs: START + 1 }, 'input.invalid');
  await refused({ fromUnixMs: START, untilUnixMs: START }, 'input.invalid');
  await assert.rejects(showHistory(desk, 'nowhere', {}));
});
