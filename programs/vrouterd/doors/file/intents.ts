/** The configuration file's own intents, as source `file`. A bad one stops the start: the person who wrote it is there to mend it. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Intent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';

export function fileIntents(raw: readonly unknown[]): Intent[] {
  return raw.map((one, index) => {
    const parsed = parseIntent(one);
    if (parsed.ok && parsed.value.kind !== 'peerSuccessor') return parsed.value;
    if (parsed.ok) throw new ProblemError(problem('input.invalid', noSuccessor, `intents[${index}].kind`));
    const { code, message, field } = parsed.error;
    throw new ProblemError(problem(code, message, `intents[${index}]${field === undefined ? '' : `.${field}`}`));
  });
}

/** It is over when the controller makes the next key the peer's own; nobody would do that to a file. */
const noSuccessor = "the succession of keys is the controller's to say; write the peer with its new key instead";
