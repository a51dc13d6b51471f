/** A part of the plane: some kinds of objects, made and read by the same hands. `driver.ts` shares a batch out among them. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { LinkType, ObjectKey, ObjectKind, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../contract/driver.ts';

export interface Part {
  readonly kinds: readonly ObjectKind[];
  /** All of ours that there is, or those of these keys. Throws ProblemError when the kernel does not say. */
  observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]>;
  /** Does the steps in order and tells what is now true of each. Throws ProblemError when nobody knows what was done. */
  apply(steps: readonly Step[]): Promise<readonly Applied[]>;
}

/** What a part does one step at a time: null when done. */
export type DoStep = (step: Step) => Promise<Problem | null>;

/** Applies by doing one after the other, and looks at all of them at the end. */
export async function applyEach(part: Part, steps: readonly Step[], doStep: DoStep): Promise<readonly Applied[]> {
  const problems: (Problem | null)[] = [];
  for (const step of steps) problems.push(await doStep(step));
  return toldOf(part, steps, problems);
}

/** What is true after steps that ended so. */
export async function toldOf(
  part: Part,
  steps: readonly Step[],
  problems: readonly (Problem | null)[],
): Promise<readonly Applied[]> {
  const seen = await part.observe(steps.map((step) => step.key));
  const now = new Map(seen.map((row) => [row.key, row]));
  return steps.map((step, index) => {
    const error = problems[index] ?? null;
    // A replaced object is there again by the time we look; its deletion left nothing all the same.
    const truth = step.op === 'delete' && error === null ? null : (now.get(step.key) ?? null);
    return error === null ? { key: step.key, ok: true, now: truth } : { key: step.key, ok: false, now: truth, error };
  });
}

export const linuxLinkTypes: readonly LinkType[] = ['wireguard', 'port', 'tap', 'bridge', 'veth', 'macvlan', 'vxlan'];
