/** Readers of options that commander calls; what they refuse is wrong usage. */
import { InvalidArgumentError } from 'commander';

/** A whole number between two, for an option. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,15}$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** Collects a list from `--x a --x b` and `--x a,b` alike. */
export function list(text: string, before: readonly string[] | undefined): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('an empty item.');
  return [...(before ?? []), ...items];
}
