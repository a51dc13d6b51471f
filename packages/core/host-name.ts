/**
 * Host names that somebody is given here, as RFC 1123 section 2.1 has them, with the underscore that names of containers often have. They go
 * into zones, files and logs, so nothing else gets by: no space, comma, line end or sign that another program might take for its own.
 */
import { parseIp } from './ip.ts';
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** RFC 1035 section 2.3.4: octets of a label, and of a name as text without its final dot. */
const LABEL_MAX = 63;
export const HOST_NAME_MAX = 253;

/** Judged before its case is changed: the sign for Kelvin has a k for its lower case. */
const LABEL = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]*[a-zA-Z0-9_])?$/;

/**
 * In the one form that equal names share: lower case, without the final dot. What reads as an IPv4 address is no name, since nobody would
 * ask for it. Error: `name.invalid`.
 */
export function parseHostName(text: string, field?: string): Result<string> {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  // Before anything is done with all of it.
  if (name.length === 0 || name.length > HOST_NAME_MAX)
    return err(refusal(text, `has 1 to ${HOST_NAME_MAX} characters`, field));
  for (const label of name.split('.')) {
    if (label.length === 0 || label.length > LABEL_MAX)
      return err(refusal(text, `has 1 to ${LABEL_MAX} characters between two dots`, field));
    if (!LABEL.test(label))
      return err(refusal(text, 'consists of a-z 0-9 - _ and dots, and no "-" begins or ends a part', field));
  }
  return parseIp(name).ok ? err(refusal(text, 'does not look like an address', field)) : ok(name.toLowerCase());
}

const refusal = (text: string, rule: string, field?: string) =>
  problem('name.invalid', `${quoted(text)} is no host name: one ${rule}`, field);

/** As JSON in ASCII, so that no line end or control character of it reaches a log or a terminal. */
function quoted(text: string): string {
  const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
  return shown.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
