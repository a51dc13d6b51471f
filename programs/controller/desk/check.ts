/** Unwraps what was parsed, or throws its problem: between pure code, which returns problems, and handlers, which can only throw. */
import { ProblemError } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.error);
}
