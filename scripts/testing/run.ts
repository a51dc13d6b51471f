/** Runs test files, each in a process of its own, as many at a time as there are cores, and tells what passed, what failed and what did not run. */
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import type { EventData } from 'node:test';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { root } from '../files.ts';

/** More at once make the timers of protocols wait: some worlds are machines of their own, emulated. */
const FILES_AT_ONCE = Math.max(2, availableParallelism());

const leave = new URL('leave.ts', import.meta.url).href;

export interface Skip {
  readonly test: string;
  readonly reason: string;
}

export interface TestRun {
  readonly passed: number;
  /** `file:line name` each. */
  readonly failures: readonly string[];
  readonly skips: readonly Skip[];
}

export interface RunOptions {
  /** Files at a time. */
  readonly concurrency: number;
  /** Longest that one test may take, ms: a hang becomes a failure instead of a silent end of the day. */
  readonly limitMs: number;
}

/** `files` are relative to the clone; the report for people goes to `out`. */
export async function runTestFiles(
  files: readonly string[],
  out: NodeJS.WritableStream,
  options: RunOptions = { concurrency: FILES_AT_ONCE, limitMs: 300_000 },
): Promise<TestRun> {
  // Of no files node:test would look for some by itself.
  if (files.length === 0) return { passed: 0, failures: [], skips: [] };
  let passed = 0;
  const failures: string[] = [];
  const skips: Skip[] = [];
  const stuck = new AbortController();
  const events = run({
    signal: stuck.signal,
    files: [...files],
    cwd: root,
    concurrency: options.concurrency,
    timeout: options.limitMs,
    // A test that ended by the limit leaves behind what it waited for, which would keep its process, and us, for ever.
    execArgv: ['--import', leave],
  });
  events.on('test:pass', (data: EventData.TestPass) => {
    if (data.name === data.file) failures.push(`${where(data)} has no tests`);
    else if (data.skip !== undefined && data.skip !== false)
      skips.push({ test: where(data), reason: because(data.skip) });
    else if (data.todo !== undefined && data.todo !== false) skips.push({ test: where(data), reason: 'to do' });
    else if (data.details.type !== 'suite') passed++;
  });
  events.on('test:fail', (data: EventData.TestFail) => {
    const type = failureType(data.details.error);
    if (type === 'testAborted') failures.push(`${where(data)} stood still`);
    // What failed below has been counted by itself.
    else if (type !== 'subtestsFailed') failures.push(where(data));
  });
  // A test that spins never comes to its own limit: its process is ended from here, and with it the run. One that has come to its limit is
  // given time to leave (leave.ts).
  const watch = setTimeout(() => stuck.abort(), options.limitMs * 1.5 + 4000);
  events.on('data', () => watch.refresh());
  for await (const text of events.pipe(new spec())) out.write(text);
  clearTimeout(watch);
  return { passed, failures, skips };
}

function where(data: {
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly name: string;
}): string {
  const file = data.file === undefined ? '' : relative(root, data.file);
  return data.name === data.file ? file : `${file}:${data.line ?? 0} ${data.name}`;
}

function because(skip: string | boolean): string {
  return typeof skip === 'string' && skip !== '' ? skip : 'no reason given';
}

function failureType(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'failureType' in error ? error.failureType : undefined;
}
