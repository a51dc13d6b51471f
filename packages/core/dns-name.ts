/** Names of hosts and domains, as they may stand in a zone and in a file (RFC 1123 section 2.1, with the underscores that containers have). */
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** RFC 1035 section 2.3.4: without the dot at the end that nobody writes. */
const NAME_MAX = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** One or more labels between dots, in lower case from then on; a dot at the end is dropped. `name.invalid`. */
export function parseDnsName(text: string, field?: string): Result<string> {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (name.length > NAME_MAX) return wrong(`a DNS name has at most ${NAME_MAX} characters`, field);
  for (const label of name.split('.'))
    if (!LABEL.test(label))
      return wrong(
        'a DNS name is labels of 1 to 63 of a-z 0-9 - _ between dots, none with a hyphen at its begin or end',
        field,
      );
  return ok(name);
}

/** A DNS name that is no address: `10.0.0.1` would be one by its letters. `name.invalid`. */
export function parseHostName(text: string, field?: string): Result<string> {
  const parsed = parseDnsName(text, field);
  if (parsed.ok && /^[0-9.]+$/.test(parsed.value))
    return wrong('a host name has a letter: only digits and dots would be taken for an address', field);
  return parsed;
}

function wrong(sentence: string, field: string | undefined): Result<string> {
  return err(problem('name.invalid', sentence, field));
}
