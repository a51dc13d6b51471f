/** Readers of options that commander calls, and options that several commands have; what they refuse is wrong usage. */
import { InvalidArgumentError, Option } from 'commander';

/** A whole number between two, for an option. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    // Nobody's octal.
    if (!/^(?:0|[1-9]\d{0,14})$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** Collects a list from `--x a --x b` and `--x a,b` alike. */
export function list(text: string, before: readonly string[] | false | undefined): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) throw new InvalidArgumentError('an empty item.');
  // False: `--no-x` came before.
  return [...(before || []), ...items];
}

/** Of every change: only from the state that the caller has seen. */
export interface IfMatch {
  readonly ifMatch?: string;
}

export function ifMatchOption(): Option {
  return new Option('--if-match <etag>', 'only if it still has this etag, which show and --json tell').argParser(
    (text: string) => {
      // What else is in it would end the header, or be another one.
      if (!/^[\x20-\x7e]{1,512}$/.test(text)) throw new InvalidArgumentError('an etag as show prints it.');
      return text;
    },
  );
}

/** Of every list. */
export interface Limit {
  readonly limit?: number;
}

export function limitOption(): Option {
  return new Option('--limit <rows>', 'at most so many; default: all').argParser(whole(1, 1_000_000));
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
