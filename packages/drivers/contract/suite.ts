/**
 * What every plane must do, as tests. A driver's own test file calls `driverContract` with a way to make a fresh, empty plane; kinds that
 * the plane does not offer are tested to be refused, never skipped in silence.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import test from 'node:test';
import { diffAll, diffKeys } from '@vrouter/intent/diff/diff.ts';
import { withDependants } from '@vrouter/intent/diff/replace.ts';
import {
  type ObjectKey,
  type ObjectKind,
  type Observed,
  objectKey,
  objectKinds,
  type PlaneObject,
} from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { abilitiesOf, writtenOf } from './abilities.ts';
import type { Applied, Driver } from './driver.ts';
import * as s from './samples.ts';
import { worlds } from './worlds.ts';

/** A fresh plane with nothing of ours on it, and the way to be rid of it. */
export interface Plane {
  readonly driver: Driver;
  dispose(): Promise<void>;
}

/** Registers the suite with node:test under the plane's name. Every test makes and disposes of a plane of its own. */
export function driverContract(name: string, makePlane: () => Promise<Plane>): void {
  const on = (title: string, body: (driver: Driver, signal: AbortSignal) => Promise<void>): void => {
    test(`${name}: ${title}`, { timeout: 30_000 }, async () => {
      const { driver, dispose } = await makePlane();
      const stop = new AbortController();
      try {
        await body(driver, stop.signal);
      } finally {
        stop.abort();
        await dispose();
      }
    });
  };

  on('says what it can, and starts with nothing but what is built in', async (driver, signal) => {
    const { plane, kinds, builtIn } = driver.capabilities();
    assert.ok(plane.length > 0);
    assert.equal(new Set(kinds).size, kinds.length);
    for (const kind of kinds) assert.ok(kind in objectKinds, kind);
    assert.ok(builtIn.includes('vrf/default' as ObjectKey));
    const seen = await driver.observe('all', signal);
    assert.deepEqual(
      seen.map((o) => o.key).filter((key) => !builtIn.includes(key)),
      [],
    );
    assert.deepEqual(await driver.observe(['link/nowhere' as ObjectKey], signal), []);
  });

  for (const [kind, objects] of Object.entries(s.samples) as [ObjectKind, readonly PlaneObject[]][]) {
    on(`${kind}: created, seen, created again without a change, deleted, deleted again`, async (driver, signal) => {
      const object = objects.at(-1)!;
      const key = objectKey(object);
      if (!driver.capabilities().kinds.includes(kind)) {
        const [refused] = await driver.apply([s.create(object)], signal);
        assert.ok(refused !== undefined && !refused.ok);
        assert.equal(refused.error.code, 'intent.unsupported');
        return;
      }
      const steps = objects.map(s.create);
      const first = allOk(await driver.apply(steps, signal), steps);
      const seen = first.at(-1)!;
      assertIs(object, seen);
      assert.deepEqual(
        Object.keys(seen.learned).sort(),
        [...objectKinds[kind].learned].sort(),
        'learned fields, null if unknown',
      );
      assert.deepEqual(uncounted(await driver.observe([key], signal)), uncounted([seen]));
      const all = await driver.observe('all', signal);
      assert.deepEqual(uncounted(all.filter((o) => o.key === key)), uncounted([seen]));
      allOk(await driver.apply(steps, signal), steps);
      assert.deepEqual(uncounted(await driver.observe('all', signal)), uncounted(all), 'twice is a no-op');
      for (let round = 0; round < 2; round++) {
        const [gone] = await driver.apply([s.remove(object)], signal);
        assert.deepEqual(gone, { key, ok: true, now: null });
        assert.deepEqual(await driver.observe([key], signal), []);
      }
    });
  }

  for (const index of s.sampleUpdates(0).keys()) {
    const title = s.sampleUpdates(0)[index]!.name;
    on(`update: ${title}`, async (driver, signal) => {
      const { before, after, changed } = s.sampleUpdates(await freePort())[index]!;
      if (!s.supported(before, driver.capabilities().kinds)) return;
      const creates = before.map(s.create);
      allOk(await driver.apply(creates, signal), creates);
      const others = objectKeysOf(before).slice(0, -1);
      const othersBefore = await driver.observe(others, signal);
      const key = objectKey(after);
      const step: Step = { op: 'update', key, object: after, before: before.at(-1)!, changed, effect: 'interrupt' };
      for (let round = 0; round < 2; round++) {
        const [now] = allOk(await driver.apply([step], signal), [step]);
        assertIs(after, now!);
        assert.deepEqual(uncounted(await driver.observe([key], signal)), uncounted([now!]));
      }
      // A link may learn that it is up or down when its device changes; what it is stays.
      const othersAfter = await driver.observe(others, signal);
      assert.deepEqual(
        othersAfter.map((o) => o.object),
        othersBefore.map((o) => o.object),
      );
    });
  }

  on('a field that is only given at creation is the plane’s own afterwards', async (driver, signal) => {
    const creates = [s.link(), s.device(), s.peer()].map(s.create);
    allOk(await driver.apply(creates, signal), creates);
    const object = s.peer({ endpoint: null, allowedIps: ['10.66.0.3/32'] });
    const step: Step = {
      op: 'update',
      key: objectKey(object),
      object,
      before: s.peer(),
      changed: ['allowedIps'],
      effect: 'none',
    };
    const [now] = allOk(await driver.apply([step, s.create(object)], signal), [step, s.create(object)]);
    assert.equal(s.fieldSeen(now, 'endpoint'), '127.0.0.1:9');
  });

  on(
    'a field that is only given at creation is another when an update names it, and nothing else is',
    async (driver, signal) => {
      const creates = [s.link(), s.device(), s.peer()].map(s.create);
      allOk(await driver.apply(creates, signal), creates);
      const object = s.peer({ endpoint: '[::1]:10' });
      const key = objectKey(object);
      const step: Step = { op: 'update', key, object, before: s.peer(), changed: ['endpoint'], effect: 'none' };
      for (let round = 0; round < 2; round++) {
        const [now] = allOk(await driver.apply([step], signal), [step]);
        assertIs(object, now!);
        assert.equal(s.fieldSeen(now, 'endpoint'), '[::1]:10');
      }
    },
  );

  on('secrets come back as fingerprints, and in no other shape', async (driver, signal) => {
    const creates = [s.link(), s.device(), s.peer()].map(s.create);
    const told = allOk(await driver.apply(creates, signal), creates);
    const seen = await driver.observe('all', signal);
    assert.deepEqual(s.leaks([...told, ...seen], [s.sampleSecret(40), s.sampleSecret(50)]), []);
    const peer = seen.find((o) => o.object.kind === 'wireguardPeer');
    assert.deepEqual(s.fieldSeen(peer, 'presharedKey'), { fingerprint: s.sampleSecret(50).fingerprint });
  });

  on('a link to the host: made, seen, changed in place, gone; or refused', async (driver, signal) => {
    const object = s.tunLink();
    const [made] = await driver.apply([s.create(object)], signal);
    if (!driver.capabilities().linkTypes.includes('tun')) {
      assert.ok(made !== undefined && !made.ok && made.now === null);
      assert.equal(made.error.code, 'intent.unsupported');
      return;
    }
    const [seen] = allOk([made!], [s.create(object)]);
    assertIs(object, seen!);
    const after = s.tunLink({ mtu: 1280, hostAddresses: ['10.65.0.1/24'], hostRoutes: [] });
    const changed = ['mtu', 'hostAddresses', 'hostRoutes'];
    const step: Step = { op: 'update', key: objectKey(after), object: after, before: object, changed, effect: 'none' };
    for (let round = 0; round < 2; round++) {
      const [now] = allOk(await driver.apply([step], signal), [step]);
      assertIs(after, now!);
      assert.equal(now!.learned.index, seen!.learned.index, 'it is the same link');
    }
    const removal = s.remove(after);
    allOk(await driver.apply([removal], signal), [removal]);
    assert.deepEqual(await driver.observe([removal.key], signal), []);
  });

  on('a link into an Ethernet: made, seen, changed in place, gone; or refused', async (driver, signal) => {
    const object = s.tapLink();
    const [made] = await driver.apply([s.create(object)], signal);
    if (!driver.capabilities().linkTypes.includes('tap')) {
      assert.ok(made !== undefined && !made.ok && made.now === null);
      assert.equal(made.error.code, 'intent.unsupported');
      return;
    }
    const [seen] = allOk([made!], [s.create(object)]);
    assertIs(object, seen!);
    const stands = [s.address('10.67.0.1/24', 'lanc0'), s.route('10.68.0.0/24', { via: over('lanc0', '10.67.0.2') })];
    allOk(await driver.apply(stands.map(s.create), signal), stands.map(s.create));
    const after = s.tapLink({ mtu: 1400, mac: null });
    const changed = ['mtu', 'mac'];
    const step: Step = {
      op: 'update',
      key: objectKey(after),
      object: after,
      before: object,
      changed,
      effect: 'interrupt',
    };
    for (let round = 0; round < 2; round++) {
      const [now] = allOk(await driver.apply([step], signal), [step]);
      assertIs(after, now!);
      assert.equal(now!.learned.index, seen!.learned.index, 'it is the same link');
    }
    const removals = [...stands.toReversed(), after].map(s.remove);
    allOk(await driver.apply(removals, signal), removals);
    assert.deepEqual(await driver.observe([objectKey(after)], signal), []);
  });

  for (const [what, links] of Object.entries(s.madeLinks))
    on(`${what}: made, seen, made again, in and out of a bridge or VRF, gone; or refused`, async (driver, signal) => {
      const object = links.at(-1)!;
      const creates = links.map(s.create);
      const { linkTypes, kinds } = driver.capabilities();
      if (!links.every(({ type }) => linkTypes.includes(type))) {
        const [refused] = await driver.apply([s.create(links.find(({ type }) => !linkTypes.includes(type))!)], signal);
        assert.ok(refused !== undefined && !refused.ok);
        assert.equal(refused.error.code, 'intent.unsupported');
        return;
      }
      const seen = allOk(await driver.apply(creates, signal), creates);
      for (const [i, link] of links.entries()) assertIs(link, seen[i]!);
      const again = allOk(await driver.apply(creates, signal), creates);
      assert.deepEqual(
        again.map((row) => row.object),
        seen.map((row) => row.object),
      );
      const { bridge: _, ...alone } = object;
      const steps = [
        s.create(s.vrf()),
        change(object, { ...alone, vrf: 'contract', mtu: 1300 }, ['vrf', 'mtu', 'bridge']),
        change({ ...alone, vrf: 'contract', mtu: 1300 }, object, ['vrf', 'mtu', 'bridge']),
      ];
      for (const step of kinds.includes('vrf') ? steps : []) {
        const [now] = allOk(await driver.apply([step], signal), [step]);
        if (step.op !== 'delete') assertIs(step.object, now!);
      }
      const removals = [...(kinds.includes('vrf') ? [s.vrf()] : []), ...links.toReversed()].map(s.remove);
      allOk(await driver.apply(removals, signal), removals);
      const left = await driver.observe('all', signal);
      assert.deepEqual(
        left.map(({ key }) => key),
        ['vrf/default'],
      );
    });

  on('several ways to a network: made, seen, changed, gone; or refused', async (driver, signal) => {
    const base = [s.tapLink(), s.address('10.67.0.1/24', 'lanc0'), s.address('fd67::1/64', 'lanc0')].map(s.create);
    allOk(await driver.apply(base, signal), base);
    const ways = (...hops: readonly (readonly [string, number])[]) => ({
      via: { type: 'paths', paths: hops.map(([nextHop, weight]) => ({ link: 'lanc0', nextHop, weight })) } as const,
    });
    for (const [prefix, one, two] of [
      ['10.68.0.0/16', '10.67.0.2', '10.67.0.3'],
      ['fd68::/32', 'fd67::2', 'fd67::3'],
    ] as const) {
      const object = s.route(prefix, ways([one, 1], [two, 3]));
      const [made] = await driver.apply([s.create(object)], signal);
      if (!made!.ok) {
        assert.equal(made!.error.code, 'intent.unsupported');
        continue;
      }
      assertIs(object, made!.now!);
      assert.deepEqual(await driver.observe([made!.key], signal), [made!.now]);
      const after = s.route(prefix, ways([one, 2], [two, 1]));
      const single = s.route(prefix, { via: over('lanc0', two) });
      for (const step of [change(object, after, ['via']), change(after, single, ['via'])]) {
        allOk(await driver.apply([step], signal), [step]);
        const [now] = await driver.observe([step.key], signal);
        assertIs(step.op === 'delete' ? object : step.object, now!);
      }
      allOk(await driver.apply([s.remove(single)], signal), [s.remove(single)]);
      assert.deepEqual(await driver.observe([made!.key], signal), []);
    }
  });

  on('a bad step holds back only what stands on it; results come in the order of the steps', async (driver, signal) => {
    const batch = [
      s.create(s.link()),
      s.create(s.link({ name: 'wgbad', vrf: 'nowhere' })),
      s.create(s.device()),
      s.create(s.address('10.67.0.1/24', 'wgbad')),
      s.create(s.peer()),
      s.create(s.peer({ link: 'wgbad' })),
      s.remove(s.address('10.68.0.1/24', 'wgnever')),
      s.create(s.route('10.69.0.0/24', { vrf: 'nowhere' })),
      s.create(s.route()),
    ];
    const results = await driver.apply(batch, signal);
    assert.deepEqual(
      results.map((r) => r.key),
      batch.map((step) => step.key),
    );
    assert.deepEqual(
      results.map((r) => (r.ok ? 'ok' : r.error.code)),
      [
        'ok',
        'object.dependency',
        'ok',
        'object.dependency',
        'ok',
        'object.dependency',
        'ok',
        'object.dependency',
        'ok',
      ],
    );
    for (const result of results) if (!result.ok) assert.equal(result.now, null);
  });

  on('who is stood on is not taken away, or takes along what stands on it', async (driver, signal) => {
    const objects = [s.link(), s.device(), s.address(), s.peer(), s.route()];
    const creates = objects.map(s.create);
    allOk(await driver.apply(creates, signal), creates);
    const [result] = await driver.apply([s.remove(s.link())], signal);
    const left = (await driver.observe(objectKeysOf(objects), signal)).length;
    if (result!.ok) assert.equal(left, 0);
    else {
      assert.equal(result!.error.code, 'object.dependency');
      assert.equal(result!.now?.key, objectKey(s.link()));
      assert.equal(left, objects.length);
    }
  });

  for (const [from, to] of worlds)
    on(`from one world to another by plan: ${from.name} to ${to.name}`, async (driver, signal) => {
      const { builtIn, kinds } = driver.capabilities();
      for (const { objects } of [from, to, from]) {
        if (!s.supported(objects, kinds)) continue;
        const seen = await driver.observe('all', signal);
        const steps = plan(withDependants(diffAll(objects, seen, builtIn), objects, seen));
        allOk(await driver.apply(steps, signal), steps);
        assert.deepEqual(diffAll(objects, await driver.observe('all', signal), builtIn), []);
      }
    });

  on('an aborted signal: nothing is done, and nothing is called done', async (driver, signal) => {
    const steps = [s.create(s.link())];
    const results = await driver.apply(steps, AbortSignal.abort()).catch(() => []);
    assert.deepEqual(
      results.filter((r) => r.ok),
      [],
    );
    assert.deepEqual(await driver.observe([steps[0]!.key], signal), []);
    await assert.rejects(driver.observe('all', AbortSignal.abort()));
  });

  on('what it can do is what the page of planes says', async (driver, signal) => {
    const { plane } = driver.capabilities();
    const can = await abilitiesOf(driver, signal);
    // For whoever makes the page: `node scripts/planes.ts`.
    if (process.env.VROUTER_ABILITIES === plane) console.log(`abilities ${JSON.stringify([...can])}`);
    const written = writtenOf(plane);
    if (written !== null && process.env.VROUTER_ABILITIES !== plane) assert.deepEqual(can, written);
  });

  on('watch ends with its signal', async (driver) => {
    const stop = new AbortController();
    const ended = (async () => {
      for await (const _ of driver.watch(stop.signal));
    })();
    setTimeout(() => stop.abort(), 20);
    await ended;
    for await (const _ of driver.watch(stop.signal)) assert.fail('nothing comes after the end');
  });
}

/** Every step done, with what is now true of it: something after a create or update, nothing after a delete. */
function allOk(results: readonly Applied[], steps: readonly Step[]): readonly Observed[] {
  assert.deepEqual(
    results.map((r) => `${r.key} ${r.ok ? 'ok' : `${r.error.code}: ${r.error.message}`}`),
    steps.map((step) => `${step.key} ok`),
  );
  for (const [i, result] of results.entries()) assert.equal(result.now === null, steps[i]!.op === 'delete', result.key);
  return results.flatMap((r) => r.now ?? []);
}

/** What counts by itself left out: a peer that is greeted has sent something a moment later. */
function uncounted(rows: readonly Observed[]): readonly Observed[] {
  return rows.map((row) => ({
    ...row,
    learned: Object.fromEntries(Object.entries(row.learned).filter(([field]) => !/^[rt]x(Bytes|Packets)$/.test(field))),
  }));
}

function assertIs(object: PlaneObject, seen: Observed): void {
  assert.equal(seen.key, objectKey(object));
  assert.deepEqual(
    diffKeys(
      [seen.key],
      () => object,
      () => seen,
    ),
    [],
  );
}

function change(before: PlaneObject, object: PlaneObject, changed: readonly string[]): Step {
  return { op: 'update', key: objectKey(object), object, before, changed, effect: 'interrupt' };
}

const over = (link: string, nextHop: string) => ({ type: 'link', link, nextHop }) as const;
const objectKeysOf = (objects: readonly PlaneObject[]): ObjectKey[] => objects.map(objectKey);

/** A UDP port that was free a moment ago. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
