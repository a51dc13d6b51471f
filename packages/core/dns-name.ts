/** Names of hosts and domains, as they may stand in a zone and in a file (RFC 1123 section 2.1, with the underscores that containers have). */
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** RFC 1035 section 2.3.4: without the dot at the end that nobody writes. */
const NAME_MAX = 253;
/** Judged before its case is changed: the sign for Kelvin has a k for its lower case. */
const LABEL = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/;
/** What somebody's resolver takes for an address without asking, `10.0.0.1`, `10.1` and `167772161`; the id of a container is longer. */
const ADDRESS = /^(?:[0-9]{1,10}|[0-9.]*\.[0-9.]*)$/;

/** One or more labels between dots, in lower case from then on; a dot at the end is dropped. `name.invalid`. */
export function parseDnsName(text: string, field?: string): Result<string> {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length > NAME_MAX) return wrong(`a DNS name has at most ${NAME_MAX} characters, not ${name.length}`, field);
  for (const label of name.split('.'))
    if (!LABEL.test(label))
      return wrong(
        `${quoted(text)} is no DNS name, which is labels of 1 to 63 of a-z 0-9 - _ between dots, none with a hyphen at its begin or end`,
        field,
      );
  return ok(name.toLowerCase());
}

/** A DNS name that is no address: `10.0.0.1` would be one by its letters. `name.invalid`. */
export function parseHostName(text: string, field?: string): Result<string> {
  const parsed = parseDnsName(text, field);
  if (parsed.ok && ADDRESS.test(parsed.value))
    return wrong(`${quoted(text)} is no host name: digits and dots alone would be taken for an address`, field);
  return parsed;
}

function wrong(sentence: string, field: string | undefined): Result<string> {
  return err(problem('name.invalid', sentence, field));
}

/** As JSON in ASCII, so that no line end or control character of it reaches a log or a terminal. */
function quoted(text: string): string {
  const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
  return shown.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
