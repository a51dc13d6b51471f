/** The kernel's errors as problems that people can do something about. */
import { getSystemErrorName } from 'node:util';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Refusal } from './answers.ts';

/** errno.h, those that mean something to whoever asks. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ERESTART: 85,
  EOPNOTSUPP: 95,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
} as const;

/** What `what` failed with. */
export function refusalProblem({ errno, text }: Refusal, what: string): Problem {
  const why = text === '' ? '' : ` (${text})`;
  switch (errno) {
    case Errno.EPERM:
      return problem('port.denied', `${what} needs privileges: start it as root, or give it CAP_NET_ADMIN`);
    case Errno.EEXIST:
      return problem('object.exists', `${what}: the host has one already${why}`);
    case Errno.EACCES:
      return problem(
        'plane.failed',
        `${what}: the kernel refuses${why} (is IPv6 off? sysctl net.ipv6.conf.all.disable_ipv6)`,
      );
    default:
      return problem('plane.failed', `${what}: the kernel says ${errnoName(errno)}${why}`);
  }
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}
