import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** Interface names as wg-quick(8) and the kernel (IFNAMSIZ) allow them: up to 15 characters, none that a path or a shell would mind. */
export function parseInterfaceName(text: string, field?: string): Result<string> {
  if (/^[a-zA-Z0-9_=+.-]{1,15}$/.test(text) && text !== '.' && text !== '..') return ok(text);
  return err(problem('name.invalid', 'an interface name is 1 to 15 of a-z A-Z 0-9 _ = + . -', field));
}

/** Names of people as their provider has them, mail addresses among them: up to 100 characters that a log, a URL and a table bear. */
export function parsePersonName(text: string, field?: string): Result<string> {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.@+-]{0,99}$/.test(text)) return ok(text);
  return err(
    problem('name.invalid', 'a name starts with a letter or digit and has up to 100 of a-z A-Z 0-9 _ . @ + -', field),
  );
}

/** Names that people give to things (vrouters, peers, VRFs): up to 63 characters, safe in files, URLs and labels. */
export function parseName(text: string, field?: string): Result<string> {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text)) return ok(text);
  return err(
    problem('name.invalid', 'a name starts with a letter or digit and has up to 63 of a-z A-Z 0-9 _ . -', field),
  );
}
