/** What is wrong in files, all of it at once. */
import { Failure } from '../failure.ts';
import { type Mistake, placeText } from './read.ts';

/** So many are told. */
const TOLD = 20;

export class FileFailure extends Failure {
  readonly #mistakes: readonly Mistake[];

  /** At least one. The code is `config.invalid`, whatever those of the mistakes are. */
  constructor(mistakes: readonly Mistake[]) {
    const { field } = mistakes[0]!;
    const count = mistakes.length === 1 ? 'is a mistake' : `are ${mistakes.length} mistakes`;
    super('config.invalid', `there ${count} in what was given; nothing was changed`, field === '' ? undefined : field);
    this.#mistakes = mistakes;
  }

  override toJSON(): ReturnType<Failure['toJSON']> & { readonly mistakes: readonly object[] } {
    return {
      ...super.toJSON(),
      mistakes: this.#mistakes.map(({ place, code, message, field }) => ({ ...place, code, message, field })),
    };
  }

  /** A line for each, and one for all. */
  override toString(): string {
    const lines = this.#mistakes
      .slice(0, TOLD)
      .map(
        ({ place, code, message, field }) =>
          `${placeText(place)}: ${message} (${code})${field === '' ? '' : `, in ${field}`}`,
      );
    const more = this.#mistakes.length - lines.length;
    return [...lines, ...(more > 0 ? [`and ${more} more`] : []), `error: ${this.message} (${this.code})`].join('\n');
  }
}
