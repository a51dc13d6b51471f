/** A backup's text: lines of JSON, the last one with the hash of those before. README.md has the whole story. */
import { createHash } from 'node:crypto';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { z } from 'zod';
import { tableNames } from './tables.ts';

export const FORMAT = 1;

/** A file of `ca/`, with its folders: no part of the name leads anywhere else. */
const filePath = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,4}$/;

const head = z.strictObject({
  vrouterBackup: z.literal(FORMAT),
  version: z.string().max(64),
  schema: z.number().int().min(1),
  takenUnixMs: z.number().int().nonnegative(),
});
export type BackupHead = z.infer<typeof head>;

const cell = z.union([z.string(), z.number(), z.null()]);
const rows = z.strictObject({ table: z.enum(tableNames), rows: z.array(z.record(z.string(), cell)) });
const file = z.strictObject({ file: z.string().max(255).regex(filePath), base64: z.base64() });
const end = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const part = z.union([rows, file]);
export type BackupRows = z.infer<typeof rows>;
export type BackupPart = z.infer<typeof part>;

export interface Backup {
  readonly head: BackupHead;
  readonly parts: readonly BackupPart[];
}

/** Hashes lines as they are written, each with its newline. */
export class Lines {
  readonly #hash = createHash('sha256');

  line(value: BackupHead | BackupPart): string {
    const text = `${JSON.stringify(value)}\n`;
    this.#hash.update(text);
    return text;
  }

  /** The last line. */
  end(): string {
    return `${JSON.stringify({ sha256: this.#hash.digest('hex') })}\n`;
  }
}

/** Reads a whole backup. Problem `data.corrupt` when it is none, or not whole. */
export function parseBackup(text: string): Result<Backup, Problem> {
  const wrong = (why: string) => err(problem('data.corrupt', `this is no whole backup: ${why}`));
  if (!text.endsWith('\n')) return wrong('its end is missing');
  const lines = text.slice(0, -1).split('\n');
  const last = end.safeParse(json(lines.pop()!));
  if (!last.success) return wrong('it does not end with its hash');
  const hash = createHash('sha256')
    .update(lines.map((line) => `${line}\n`).join(''))
    .digest('hex');
  if (hash !== last.data.sha256) return wrong('its hash is another');
  const first = json(lines.shift() ?? '');
  const read = head.safeParse(first);
  if (!read.success) {
    const other = z.object({ vrouterBackup: z.number() }).safeParse(first);
    return wrong(other.success ? 'a newer vrouter-controller has made it' : 'it does not begin like one');
  }
  const parts: BackupPart[] = [];
  for (const [i, line] of lines.entries()) {
    const parsed = part.safeParse(json(line));
    if (!parsed.success) return wrong(`line ${i + 2} cannot be read`);
    parts.push(parsed.data);
  }
  return ok({ head: read.data, parts });
}

/** Undefined is no JSON. */
function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
