/**
 * The kernel keeps what a vrouterd has made when that ends, and whoever comes next adopts it, or takes away what nobody wants. A data folder that
 * is the wrong one, or whose disk is not mounted, wants nothing.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Store } from '../store/store.ts';

/** So many are named; the rest is a number. */
const NAMED = 5;

export interface FirstLook {
  readonly store: Pick<Store, 'intents' | 'ledger'>;
  readonly dataFolder: string;
  /** What the first look would lead to. */
  dryRun(): Promise<readonly Step[]>;
}

/** Rejects with ProblemError `intent.held` when a data folder that is new would take interfaces away that are there. */
export async function refuseToSweep({ store, dataFolder, dryRun }: FirstLook): Promise<void> {
  if (store.intents().length > 0 || store.ledger.entries('').length > 0) return;
  const steps = await dryRun();
  const made = new Set(steps.filter(({ op }) => op !== 'delete').map(({ key }) => key));
  const going = steps.flatMap((step) =>
    step.op === 'delete' && step.before.kind === 'link' && !made.has(step.key) ? [step.before.name] : [],
  );
  if (going.length === 0) return;
  const rest = going.length > NAMED ? ` and ${going.length - NAMED} more` : '';
  const names = `${going.slice(0, NAMED).sort().join(', ')}${rest}`;
  throw new ProblemError(
    problem(
      'intent.held',
      `this host has interfaces of a vrouterd with another data folder (${names}), of which ${dataFolder} knows nothing: it would take them away. Start it with that folder, or with --take-over`,
    ),
  );
}
