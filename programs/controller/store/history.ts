/** What passed, by step of time (`samples`), and up to where that was counted (`meters`). */
import type { Passed, Reading } from '../history/meter.ts';
import type { Reader, Tx } from './schema.ts';

/** Of a vrouter: '' is the whole gateway, else a peer's public key. */
export type Series = string;

/** Rows of one statement: SQLite takes 32,766 values, a sample has nine. */
const ROWS_MAX = 500;

export interface Sample extends Passed {
  readonly vrouterId: string;
  readonly series: Series;
  readonly stepMs: number;
  readonly atUnixMs: number;
}

export async function metersOf(
  db: Reader,
  vrouterId: string,
  series: readonly Series[],
): Promise<Map<Series, Reading>> {
  const rows = await db
    .selectFrom('meters')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('series', 'in', series)
    .execute();
  return new Map(rows.map(({ series: of, vrouterId: _, ...reading }) => [of, reading]));
}

export async function saveMeters(tx: Tx, vrouterId: string, readings: ReadonlyMap<Series, Reading>): Promise<void> {
  const rows = [...readings].map(([series, reading]) => ({ vrouterId, series, ...reading }));
  for (let at = 0; at < rows.length; at += ROWS_MAX)
    await tx
      .insertInto('meters')
      .values(rows.slice(at, at + ROWS_MAX))
      .onConflict((conflict) =>
        conflict.columns(['vrouterId', 'series']).doUpdateSet((e) => ({
          epoch: e.ref('excluded.epoch'),
          atUnixMs: e.ref('excluded.atUnixMs'),
          rxBytes: e.ref('excluded.rxBytes'),
          txBytes: e.ref('excluded.txBytes'),
          rxPackets: e.ref('excluded.rxPackets'),
          txPackets: e.ref('excluded.txPackets'),
          drops: e.ref('excluded.drops'),
        })),
      )
      .execute();
}

/** Adds to steps that there are, and makes those that there are not. No step may be named twice. */
export async function addSamples(tx: Tx, samples: readonly Sample[]): Promise<void> {
  for (let at = 0; at < samples.length; at += ROWS_MAX)
    await tx
      .insertInto('samples')
      .values(samples.slice(at, at + ROWS_MAX))
      .onConflict((conflict) =>
        conflict.columns(['vrouterId', 'series', 'stepMs', 'atUnixMs']).doUpdateSet((e) => ({
          rxBytes: e('samples.rxBytes', '+', e.ref('excluded.rxBytes')),
          txBytes: e('samples.txBytes', '+', e.ref('excluded.txBytes')),
          rxPackets: e('samples.rxPackets', '+', e.ref('excluded.rxPackets')),
          txPackets: e('samples.txPackets', '+', e.ref('excluded.txPackets')),
          drops: e('samples.drops', '+', e.ref('excluded.drops')),
        })),
      )
      .execute();
}

/** What has passed is another series': the peer has another key, whose counting began at zero when the plane got it. */
export async function moveSeries(
  tx: Tx,
  vrouterId: string,
  from: Series,
  to: Series,
  nowUnixMs: number,
): Promise<void> {
  const of = await tx
    .selectFrom('samples')
    .selectAll()
    .where('vrouterId', '=', vrouterId)
    .where('series', '=', from)
    .execute();
  await tx.deleteFrom('samples').where('vrouterId', '=', vrouterId).where('series', '=', from).execute();
  await addSamples(
    tx,
    of.map((sample) => ({ ...sample, series: to })),
  );
  // An epoch that no gateway has: the first reading counts as a whole.
  const zero = { epoch: '', rxBytes: 0, txBytes: 0, rxPackets: 0, txPackets: 0, drops: 0 };
  await saveMeters(tx, vrouterId, new Map([[to, { ...zero, atUnixMs: nowUnixMs - 1 }]]));
}

/** Steps of `[fromUnixMs, untilUnixMs)` in which something passed, earliest first. */
export async function samplesOf(
  db: Reader,
  { vrouterId, series, stepMs }: Pick<Sample, 'vrouterId' | 'series' | 'stepMs'>,
  fromUnixMs: number,
  untilUnixMs: number,
  most: number,
): Promise<(Passed & { readonly atUnixMs: number })[]> {
  return db
    .selectFrom('samples')
    .select(['atUnixMs', 'rxBytes', 'txBytes', 'rxPackets', 'txPackets', 'drops'])
    .where('vrouterId', '=', vrouterId)
    .where('series', '=', series)
    .where('stepMs', '=', stepMs)
    .where('atUnixMs', '>=', fromUnixMs)
    .where('atUnixMs', '<', untilUnixMs)
    .orderBy('atUnixMs')
    .limit(most)
    .execute();
}

/** Forgets steps that began before; of the whole gateways, or of all peers. */
export async function forgetSamples(db: Reader, whole: boolean, stepMs: number, beforeUnixMs: number): Promise<void> {
  await db
    .deleteFrom('samples')
    .where('series', whole ? '=' : '!=', '')
    .where('stepMs', '=', stepMs)
    .where('atUnixMs', '<', beforeUnixMs)
    .execute();
}

/** Forgets meters of peers that nobody has told of for so long. */
export async function forgetMeters(db: Reader, beforeUnixMs: number): Promise<void> {
  await db.deleteFrom('meters').where('atUnixMs', '<', beforeUnixMs).execute();
}
