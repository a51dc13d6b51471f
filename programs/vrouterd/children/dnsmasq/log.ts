/** What a dnsmasq tells in its log file. The file goes on when we end, so that whoever comes next reads on. */
import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';

/** A log that is longer is emptied when all of it has been read, bytes. */
const LOG_MAX = 256 * 1024;
/** No line of it is longer, bytes. */
const LINE_MAX = 4096;

export class ZoneLog {
  readonly #path: string;
  #at: number;
  #rest = '';

  /** Reads from the present end of the file on. */
  constructor(path: string) {
    this.#path = path;
    this.#at = sizeOf(path);
  }

  /** Whole lines since the last time. */
  lines(): readonly string[] {
    if (sizeOf(this.#path) === this.#at) return [];
    let fd: number;
    try {
      fd = openSync(this.#path, 'r');
    } catch {
      return [];
    }
    try {
      const { size } = fstatSync(fd);
      if (size < this.#at) this.#at = 0;
      const bytes = Buffer.alloc(Math.min(size - this.#at, LOG_MAX));
      const read = readSync(fd, bytes, 0, bytes.length, this.#at);
      this.#at += read;
      const parts = (this.#rest + bytes.toString('latin1', 0, read)).split('\n');
      this.#rest = parts.pop()!.slice(-LINE_MAX);
      return parts;
    } finally {
      closeSync(fd);
    }
  }

  /** Empties a log that has become long. dnsmasq writes at the end, wherever that is. */
  trim(): void {
    try {
      if (this.#at > LOG_MAX && sizeOf(this.#path) === this.#at) truncateSync(this.#path);
    } catch {
      // It stays long.
    }
  }
}

/**
 * What the line says, for a process of this number: it has read all names up to this mark, cannot read something, or complains.
 * Null for the rest. Lines of a process that does not come up bear no number.
 */
export type LogEvent =
  | { readonly is: 'read'; readonly path: string }
  | { readonly is: 'unread'; readonly text: string }
  | { readonly is: 'complaint'; readonly text: string };

export function parseLogLine(line: string, pid: number): LogEvent | null {
  const match = /(?:^|\s)dnsmasq(?:\[(\d+)\])?: (.*)$/.exec(line);
  if (match === null || (match[1] !== undefined && Number(match[1]) !== pid)) return null;
  const text = match[2]!.trim();
  const read = /^read (\S+) - \d+ names$/.exec(text);
  if (read !== null) return { is: 'read', path: read[1]! };
  if (/^(failed to load names from|cannot read|cannot access directory|bad name at|bad address at)/.test(text))
    return { is: 'unread', text };
  // That the link is not there yet, and that nobody is asked, is as it should be.
  if (/^warning: (interface \S+ does not currently exist|no upstream servers configured)/.test(text)) return null;
  if (/\b(failed|cannot|error|warning|bad|unknown|illegal|missing|Address already in use|Maximum number)\b/.test(text))
    return { is: 'complaint', text };
  return null;
}

function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}
