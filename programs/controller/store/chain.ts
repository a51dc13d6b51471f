/**
 * The audit's chain: each row's hash covers the hash of the row before it, so a row that was changed, taken out or put in between
 * shows. What a row's text is and how it is hashed never changes: rows that were written long ago must still come out the same.
 */
import { createHash } from 'node:crypto';
import { canonicalJson } from '@vrouter/core/json.ts';

/** All of a row but its hash. */
export interface ChainedRow {
  readonly id: number;
  readonly atUnixMs: number;
  readonly actor: string;
  readonly tokenId: string | null;
  readonly source: string | null;
  readonly action: string;
  readonly subject: string | null;
  readonly outcome: 'done' | 'refused';
  readonly reason: string | null;
}

/** The last row; `id` 0 is none yet. */
export interface ChainHead {
  readonly id: number;
  readonly hash: string;
}

/** What stands before the first row. */
export const GENESIS = '0'.repeat(64);

/** SHA-256 over the hash before (32 bytes) and the row as canonical JSON, lower-case hex. */
export function hashRow(before: string, row: ChainedRow): string {
  const { actor, tokenId, source, action, subject, outcome, reason } = row;
  // A dialect may hand out what is 64 bits wide as text.
  const [id, atUnixMs] = [Number(row.id), Number(row.atUnixMs)];
  const text = canonicalJson({ id, atUnixMs, actor, tokenId, source, action, subject, outcome, reason });
  return createHash('sha256').update(Buffer.from(before, 'hex')).update(text).digest('hex');
}

export function headText({ id, hash }: ChainHead): string {
  return `${id} ${hash}`;
}

/** Null when it is no head. */
export function parseHead(text: string): ChainHead | null {
  const match = /^(\d{1,15}) ([0-9a-f]{64})$/.exec(text);
  return match === null ? null : { id: Number(match[1]), hash: match[2]! };
}
