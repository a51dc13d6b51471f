/** What a gateway has when it hears of a change: mostly the configuration of before, but one that was away, or holds something back, has an older one. */
import type { Gateway } from '../agents/gateway.ts';
import type { DryRun } from '../desired/dry-run.ts';
import type { StoredOp } from '../store/intents.ts';
import type { Reader } from '../store/schema.ts';
import { changesBetween } from '../store/versions.ts';

export interface Base {
  readonly version: number;
  /** Canonical JSON of every intent that it has, by key. */
  readonly bodies: ReadonlyMap<string, string>;
}

/** Null: it has nothing yet, or what it has is not known here: no longer, or since the store has lost it. */
export async function baseOf(db: Reader, dry: DryRun, gateway: Gateway | undefined): Promise<Base | null> {
  const { before, bodies } = dry;
  const version = gateway?.row.storedVersion ?? 0;
  if (gateway?.lost === true) return null;
  if (version === before.version) return { version, bodies };
  if (version === 0 || version > before.version) return null;
  const since = await changesBetween(db, before.id, version, before.version);
  if (since === null) return null;
  const then = new Map(bodies);
  for (const { key, before: body } of since) {
    if (body === null) then.delete(key);
    else then.set(key, body);
  }
  return { version, bodies: then };
}

/** The configuration after a change. */
export function bodiesAfter({ bodies, ops }: Pick<DryRun, 'bodies' | 'ops'>): Map<string, string> {
  const after = new Map(bodies);
  for (const { key, body } of ops) {
    if (body === null) after.delete(key);
    else after.set(key, body);
  }
  return after;
}

/** What leads from one state to another, by key. */
export function opsBetween(from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): StoredOp[] {
  const ops: StoredOp[] = [];
  for (const key of from.keys()) if (!to.has(key)) ops.push({ key, body: null });
  for (const [key, body] of to) if (from.get(key) !== body) ops.push({ key, body });
  return ops.sort((a, b) => (a.key < b.key ? -1 : 1));
}
