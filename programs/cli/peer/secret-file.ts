/** A file for a private key: mode 0600 from its first moment, never over another file. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { Failure } from '../failure.ts';

export interface SecretFile {
  write(text: string): void;
  /** Removes the file again: what should have gone in did not come about. */
  abandon(): void;
}

/** Makes the file, so that what could go wrong does so before anything is asked of a server. `data.unwritable`. */
export function reserveSecretFile(path: string): SecretFile {
  const fd = openNew(path);
  return {
    write(text) {
      writeSync(fd, text);
      fsyncSync(fd);
      closeSync(fd);
    },
    abandon() {
      closeSync(fd);
      rmSync(path, { force: true });
    },
  };
}

function openNew(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'EEXIST' ? 'it exists already; remove it or choose another' : String(code);
    throw new Failure('data.unwritable', `cannot make ${path}: ${why}`, '--out');
  }
}
