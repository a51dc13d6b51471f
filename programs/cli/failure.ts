/** What ends a command: a code, a sentence, perhaps a field; and the exit status that follows from the code. */
import { statusOf } from '@vrouter/api/status.ts';
import { type ProblemCode, problemCodes } from '@vrouter/core/codes.ts';

/** A refusal as servers word it; there may be more in it. */
export interface Refusal {
  readonly error: { readonly code: string; readonly message: string; readonly field?: string };
}

export class Failure extends Error {
  /** One of `docs/errors.md`; a newer server may know more of them than we do. */
  readonly code: string;
  readonly field: string | undefined;
  /** What the server said besides, where it said more; `--json` prints that. */
  readonly raw: Refusal | undefined;

  constructor(code: ProblemCode | (string & {}), message: string, field?: string, raw?: Refusal) {
    super(message);
    this.name = 'Failure';
    this.code = code;
    this.field = field;
    this.raw = raw;
  }

  /** 2 wrong usage, 1 failure. */
  get exitStatus(): 1 | 2 {
    const known = problemCodes.find((code) => code === this.code);
    return known === undefined ? 1 : statusOf(known).exit;
  }

  toJSON(): Refusal {
    if (this.raw !== undefined) return this.raw;
    const error = { code: this.code, message: this.message };
    return { error: this.field === undefined ? error : { ...error, field: this.field } };
  }

  override toString(): string {
    return `error: ${this.message} (${this.code})${this.field === undefined ? '' : `, in ${this.field}`}`;
  }
}

/** Ends a command with a status that is an answer and no failure: nothing is printed besides. */
export class Verdict extends Error {
  readonly exitStatus: 1 | 3;

  constructor(exitStatus: 1 | 3) {
    super(`status ${exitStatus}`);
    this.exitStatus = exitStatus;
  }
}
