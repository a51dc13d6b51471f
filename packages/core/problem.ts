import type { ProblemCode } from './codes.ts';

/**
 * What went wrong, for people and programs. `code` is stable for ever; `message` is a sentence that says what to do and may be
 * reworded; `field` names the offending input by its path (`peers[2].allowedIps`), where there is one.
 */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly field?: string;
}

/** Builds a Problem; `field` is left out when there is none. */
export function problem(code: ProblemCode, message: string, field?: string): Problem {
  return field === undefined ? { code, message } : { code, message, field };
}

/** A Problem on its way up through code that can only throw (request handlers, promises). Edges turn it back into data. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(what: Problem) {
    super(`${what.code}: ${what.message}`);
    this.name = 'ProblemError';
    this.problem = what;
  }
}

/** Turns whatever was thrown into a Problem; what is not ours becomes `internal`. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof ProblemError) return thrown.problem;
  return problem('internal', thrown instanceof Error ? thrown.message : textOf(thrown));
}

/** Text of anything at all: an object without a prototype has none of its own and would throw here again. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return typeof thrown;
  }
}
