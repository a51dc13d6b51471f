/** Waits until a process says in its log that it has read all up to a mark. */
import { setTimeout as delay } from 'node:timers/promises';
import { parseLogLine, type ZoneLog } from './log.ts';

export interface Reading {
  readonly log: ZoneLog;
  readonly pid: number;
  /** The path of the mark, and the folder of all marks. */
  readonly mark: string;
  readonly marks: string;
  /** Whether the process is no more. */
  ended(): boolean;
  /** How long it may take, ms. */
  readonly patienceMs: number;
}

/** Null once it has; else what is the matter, as the end of a sentence. */
export async function untilRead({ log, pid, mark, marks, ended, patienceMs }: Reading): Promise<string | null> {
  const deadline = performance.now() + patienceMs;
  let said = '';
  for (let round = 0; ; round++) {
    // Asked before its last words are read.
    const isOver = ended();
    for (const line of log.lines()) {
      const event = parseLogLine(line, pid);
      if (event?.is === 'read' && event.path === mark) return null;
      // A mark that has another name by now is not missed.
      if (event?.is === 'unread' && !event.text.includes(`${marks}/`)) return `cannot read its names: ${event.text}`;
      if (event?.is === 'complaint') said = `: ${event.text}`;
    }
    if (isOver) return `has ended${said}`;
    if (performance.now() > deadline) return `has not read its names in time${said}`;
    await delay(round < 50 ? 1 : 10);
  }
}
