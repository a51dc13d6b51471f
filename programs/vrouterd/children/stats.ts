/** Opens the memory that an engine counts in, which is a file to us (/proc/PID/fd/N). */
import { closeSync, openSync, readSync } from 'node:fs';
import type { OpenStats } from '@vrouter/drivers/userspace/stats.ts';

export const openStats: OpenStats = (path) => {
  try {
    const fd = openSync(path, 'r');
    return {
      read: (at, length) => {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, readSync(fd, bytes, 0, length, at));
      },
      close: () => closeSync(fd),
    };
  } catch {
    // Another user's engine, or one of another namespace: it will be asked instead.
    return null;
  }
};
