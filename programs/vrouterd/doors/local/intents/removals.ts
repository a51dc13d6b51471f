/** What goes with a change, or why it stays. Pure. */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { type IntentKey, intentKey, type SourcedIntent } from '@vrouter/intent/model/intents.ts';
import { type Known, type Request, SOURCE, sourceText } from './known.ts';

/** All that goes: what was named, and with `force` what a network takes along. */
export function removals({ remove, force }: Request, { said, unreadable }: Known): Result<IntentKey[]> {
  const own = new Set<string>(unreadable);
  for (const { source, intent } of said) if (source === SOURCE) own.add(intentKey(intent));
  const gone = new Set<IntentKey>();
  for (const [i, text] of remove.entries()) {
    if (own.has(text)) {
      gone.add(text as IntentKey);
      continue;
    }
    const other = said.find(({ intent }) => intentKey(intent) === text);
    const why =
      other === undefined
        ? problem('intent.notFound', `there is no ${text} here`, `remove[${i}]`)
        : problem(
            'intent.conflict',
            `${text} is said by ${sourceText(other.source)}, which alone can remove it`,
            `remove[${i}]`,
          );
    return err(why);
  }
  for (const [i, text] of remove.entries()) {
    const users = usersOf(text, said, gone);
    const first = users[0];
    if (first === undefined) continue;
    const foreign = users.find(({ source }) => source !== SOURCE);
    if (force && foreign === undefined) {
      for (const { intent } of users) gone.add(intentKey(intent));
      continue;
    }
    const { source, intent } = foreign ?? first;
    const which = `${intentKey(intent)}${users.length === 1 ? '' : ` and ${users.length - 1} more`}`;
    const what =
      foreign === undefined
        ? 'remove them first; force takes them along'
        : `${intentKey(intent)} is said by ${sourceText(source)}, which has to take it back first`;
    return err(problem('intent.inUse', `${text} is used by ${which}: ${what}`, `remove[${i}]`));
  }
  return ok([...gone]);
}

/** Names and ports of a network, unless another source says the network too. */
function usersOf(key: string, said: readonly SourcedIntent[], gone: ReadonlySet<IntentKey>): readonly SourcedIntent[] {
  if (!key.startsWith('network/')) return [];
  if (said.some(({ source, intent }) => source !== SOURCE && intentKey(intent) === key)) return [];
  const id = key.slice('network/'.length);
  return said.filter(
    ({ source, intent }) =>
      (intent.kind === 'dnsName' || intent.kind === 'publishedPort') &&
      intent.network === id &&
      !(source === SOURCE && gone.has(intentKey(intent))),
  );
}
