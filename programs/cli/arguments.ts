/** Readers of options that commander calls, and options that several commands have; what they refuse is wrong usage. */
import { InvalidArgumentError, Option } from 'commander';

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

export type MssClamp = 'auto' | 'off';
export type SourceCheck = 'off' | 'loose' | 'strict';

/** The same for every kind of interface. */
export function mssClampOption(): Option {
  return new Option('--mss-clamp <how>', "cut the MSS of TCP's SYNs to what the MTU holds; auto unless said").choices([
    'auto',
    'off',
  ]);
}

export function sourceCheckOption(): Option {
  return new Option('--source-check <how>', 'reverse path check of what comes in, RFC 3704; off unless said').choices([
    'off',
    'loose',
    'strict',
  ]);
}
