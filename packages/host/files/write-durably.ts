/** Files that are either the old or the new one, whatever happens in between, and that stay once the promise is kept. */
import { randomUUID } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode, unwritable } from './problems.ts';

/**
 * Replaces the file: a temporary one beside it, fsync, rename, fsync of the folder. The mode is exact, whatever the umask says.
 * A symbolic link at the path is replaced, not followed. Of several writers at once, each one's file is whole and the last one stays.
 * Rejects with ProblemError `data.unwritable`; then the old file is untouched.
 */
export async function writeFileDurably(path: string, data: Uint8Array | string, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await writeAndSync(temporary, data, mode);
    try {
      await rename(temporary, path);
    } catch (thrown) {
      await unlink(temporary);
      throw thrown;
    }
    await syncFolder(folder);
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
}

async function writeAndSync(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.chmod(mode);
    await file.writeFile(data);
    await file.sync();
  } catch (thrown) {
    await unlink(path);
    throw thrown;
  } finally {
    await file.close();
  }
}

/** Without this a rename may be forgotten by a crash of the machine. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (thrown) {
    // Some file systems (network, FUSE) cannot sync a folder; they have no better to offer.
    if (systemCode(thrown) !== 'EINVAL') throw thrown;
  } finally {
    await handle.close();
  }
}
