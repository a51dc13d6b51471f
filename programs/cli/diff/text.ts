/** The difference between two versions, a line for each field that is other, as diff(1) marks them. */
import type { IntentChange } from '@vrouter/api/rest/versions.ts';
import { plain } from '@vrouter/core/table.ts';

/** SGR sequences by the sign that a line begins with; ECMA-48, 8.3.117. */
const colours: { readonly [sign: string]: string } = { '+': '32', '-': '31', '~': '36' };

const signs: { readonly [O in IntentChange['op']]: string } = { add: '+', change: '~', remove: '-' };

/** Lines of one intent: its key, then `- field: before` and `+ field: after`. */
export function changeLines({ key, op, before, after }: IntentChange): string[] {
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const lines = [`${signs[op]} ${plain(key)}`];
  for (const field of fields) {
    // The key has it already.
    if (field === 'kind') continue;
    const [gone, come] = partsOf(before?.[field], after?.[field]);
    if (gone !== null) lines.push(`-   ${plain(`${field}: ${gone}`)}`);
    if (come !== null) lines.push(`+   ${plain(`${field}: ${come}`)}`);
  }
  return lines;
}

export function coloured(line: string): string {
  const colour = colours[line[0] ?? ''];
  return colour === undefined ? line : `\u001b[${colour}m${line}\u001b[0m`;
}

/** What of a field is no more, and what is new; of two lists only the items that the other has not. Null: nothing to say. */
function partsOf(before: unknown, after: unknown): readonly [string | null, string | null] {
  if (Array.isArray(before) && Array.isArray(after)) {
    const gone = before.filter((one) => !after.includes(one));
    const come = after.filter((one) => !before.includes(one));
    // The same items in another order.
    if (gone.length > 0 || come.length > 0) return [listText(gone), listText(come)];
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [null, null];
  return [before === undefined ? null : valueText(before), after === undefined ? null : valueText(after)];
}

function listText(items: readonly unknown[]): string | null {
  return items.length === 0 ? null : items.map(valueText).join(', ');
}

function valueText(value: unknown): string {
  if (value === null) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(', ');
  if (typeof value !== 'object') return String(value);
  if ('fingerprint' in value) return `secret(${String(value.fingerprint)})`;
  return JSON.stringify(value);
}
