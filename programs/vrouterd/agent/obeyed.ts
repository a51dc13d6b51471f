/** What of a controller's words a gateway obeys: it has no say in the machine itself unless the machine's owner has given it one. */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { Intent } from '@vrouter/intent/model/intents.ts';
import type { Allow } from '../config.ts';

/** `isKeyOverlap`: the plane can have two keys of a peer at a time. */
export function obeyed(intent: Intent, allow: Allow, isKeyOverlap: boolean): Result<Intent> {
  const { kind } = intent;
  if (kind === 'peerSuccessor' && !isKeyOverlap)
    return err(problem('intent.unsupported', 'this plane cannot have two keys of a peer at a time', 'kind'));
  if (!isOfTheMachine(kind) || allow[kind]) return ok(intent);
  const hint = `the file of this gateway does not let its controller say ${kind}, which is of the machine itself; "allow: { ${kind}: true }" there does`;
  return err(problem('intent.refused', hint));
}

/** Kinds of intents that reach into the machine, which `allow` of the configuration is about. */
export function isOfTheMachine(kind: string): kind is keyof Allow {
  return kind === 'hostInterface' || kind === 'port';
}
