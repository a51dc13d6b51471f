/** What file systems refuse, as Problems. */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';

/** Node's `EACCES` and the like, or null when the error is not from a system call. */
export function systemCode(thrown: unknown): string | null {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('syscall' in thrown)) return null;
  return typeof thrown.code === 'string' ? thrown.code : null;
}

const advice: { readonly [code: string]: string } = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the file system is full',
  EDQUOT: 'the quota is used up',
  ENOENT: 'the folder does not exist',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'too many symbolic links',
  EIO: 'the disk reports an error',
};

/** `data.unwritable` for a failed system call. What is none is a bug and is thrown on. */
export function unwritable(path: string, thrown: unknown): ProblemError {
  const code = systemCode(thrown);
  if (code === null) throw thrown;
  return new ProblemError(unwritableBecause(path, advice[code] ?? code));
}

export function unwritableBecause(path: string, why: string): Problem {
  return problem('data.unwritable', `${path} cannot be written: ${why}`);
}
