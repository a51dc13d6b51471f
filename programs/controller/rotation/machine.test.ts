/** What time and pace ask for, as a table; and, whatever happens, that a rotation keeps its pace and comes to its end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  due,
  type Entry,
  type EntryState,
  type Overlap,
  type RotationTerms,
  rotationState,
  shownState,
} from './machine.ts';

const terms: RotationTerms = { createdUnixMs: 0, pace: null, deadlineMs: 100, atDeadline: 'keep' };
const entry = (state: EntryState, offeredUnixMs: number | null = null, onlyPsk = false): Entry => ({
  state,
  offeredUnixMs,
  publicKey: 'old',
  nextPublicKey: onlyPsk ? 'old' : 'new',
});
const steps = (over: Partial<RotationTerms>, entries: readonly Entry[], now: number, overlap: Overlap = 'yes') =>
  due({ ...terms, ...over }, entries, overlap, now).map(({ entry: of, step }) => `${entries.indexOf(of)} ${step}`);

const rows: readonly [string, ReturnType<typeof steps>, readonly string[]][] = [
  ['all at once', steps({}, [entry('waiting'), entry('waiting')], 0), ['0 offer', '1 offer']],
  ['by pace', steps({ pace: 2 }, [entry('offered', 0), entry('waiting'), entry('waiting')], 50), ['1 offer']],
  ['at its pace', steps({ pace: 1 }, [entry('offered', 0), entry('waiting')], 99), []],
  ['a straggler makes room', steps({ pace: 1 }, [entry('offered', 0), entry('waiting')], 100), ['1 offer']],
  ['who is done makes room', steps({ pace: 1 }, [entry('switched', 0), entry('waiting')], 1), ['1 offer']],
  ['a straggler keeps its old key', steps({}, [entry('offered', 0)], 1000), []],
  ['or is cut over', steps({ atDeadline: 'cutOver' }, [entry('offered', 0), entry('offered', 1)], 100), ['0 cutOver']],
  ['a preshared key alone lapses', steps({}, [entry('offered', 0, true)], 100), ['0 lapse']],
  ['unless it is to be cut over', steps({ atDeadline: 'cutOver' }, [entry('offered', 0, true)], 100), ['0 cutOver']],
  ['what has lapsed waits for a person', steps({ atDeadline: 'cutOver' }, [entry('lapsed', 0, true)], 1000), []],
  ['nothing is offered to a gateway that cannot', steps({}, [entry('waiting')], 1000, 'no'), []],
  ['which is cut over, if asked', steps({ atDeadline: 'cutOver' }, [entry('waiting')], 100, 'no'), ['0 cutOver']],
  ['in its time', steps({ atDeadline: 'cutOver' }, [entry('waiting')], 99, 'no'), []],
  ['never one that is not known', steps({ atDeadline: 'cutOver' }, [entry('waiting')], 1000, 'unknown'), []],
  ['nor none at all', steps({ atDeadline: 'cutOver' }, [entry('waiting')], 1000, 'none'), []],
  [
    "what is taken back is the gateway's to settle",
    steps({ atDeadline: 'cutOver' }, [entry('withdrawing', 0)], 1000),
    [],
  ],
];
for (const [name, found, wanted] of rows) test(name, () => assert.deepEqual(found, wanted));

test('as people see it', () => {
  const shown = (of: Entry, now: number, overlap: Overlap = 'yes') => shownState(terms, of, overlap, now);
  assert.deepEqual(
    [
      shown(entry('offered', 0), 99),
      shown(entry('offered', 0), 100),
      shown(entry('lapsed', 0, true), 0),
      shown(entry('waiting'), 1000),
      shown(entry('waiting'), 1000, 'no'),
      shown(entry('withdrawing', 0), 1000),
    ],
    ['offered', 'straggler', 'straggler', 'waiting', 'straggler', 'withdrawing'],
  );
  assert.deepEqual(
    [
      rotationState(['switched', 'straggler', 'offered']),
      rotationState(['switched', 'straggler', 'failed']),
      rotationState(['switched', 'cancelled', 'failed']),
      rotationState(['withdrawing']),
    ],
    ['running', 'straggling', 'ended', 'running'],
  );
});

test('whoever switches when: never more are waited for than the pace says, and all end or are stragglers', () => {
  const script = fc.record({
    pace: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
    atDeadline: fc.constantFrom('keep' as const, 'cutOver' as const),
    onlyPsk: fc.boolean(),
    /** How long after its offer each device changes, ms; 1000: never. */
    devices: fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 12 }),
  });
  fc.assert(
    fc.property(script, ({ pace, atDeadline, onlyPsk, devices }) => {
      const of: RotationTerms = { ...terms, pace, atDeadline };
      const entries: { -readonly [F in keyof Entry]: Entry[F] }[] = devices.map(() => ({
        ...entry('waiting', null, onlyPsk),
      }));
      const offers = entries.map(() => 0);
      for (let now = 0; now <= 100 * (devices.length + 1); now += 10) {
        for (const [i, one] of entries.entries())
          if (one.state === 'offered' && now >= one.offeredUnixMs! + devices[i]!) one.state = 'switched';
        for (const { entry: one, step } of due(of, entries, 'yes', now)) {
          if (step === 'offer') {
            one.state = 'offered';
            one.offeredUnixMs = now;
            offers[entries.indexOf(one)]!++;
          } else one.state = step === 'lapse' ? 'lapsed' : 'switched';
        }
        assert.deepEqual(due(of, entries, 'yes', now), [], 'a step that was made is not due again');
        const open = entries.filter((one) => shownState(of, one, 'yes', now) === 'offered').length;
        assert.ok(pace === null || open <= pace);
      }
      const end = entries.map((one) => shownState(of, one, 'yes', 100 * (devices.length + 1)));
      assert.ok(
        end.every((state) => state === 'switched' || (atDeadline === 'keep' && state === 'straggler')),
        end.join(),
      );
      assert.ok(offers.every((count) => count === 1));
    }),
    { numRuns: 200 },
  );
});
