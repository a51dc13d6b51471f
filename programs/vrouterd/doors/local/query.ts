/** What a request says, in its shape or refused. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';

type Parsed<T> =
  | { readonly success: true; readonly data: T }
  | {
      readonly success: false;
      readonly error: { readonly issues: readonly { path: PropertyKey[]; message: string }[] };
    };

/** Throws ProblemError `input.invalid` with the field. */
export function parsed<T>(result: Parsed<T>): T {
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') ?? '';
  throw new ProblemError(
    problem('input.invalid', issue?.message ?? 'this query is not understood', field === '' ? undefined : field),
  );
}
