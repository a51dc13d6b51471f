/** What this door says, and what it notes besides. `../intents/stored.ts` keeps it; `memory.testing.ts` in memory, for tests. */
import type { IntentSource } from '@vrouter/intent/model/intents.ts';
import type { ChangeOf, SaidIntents, SaidWith } from '../intents/said.ts';

export const SOURCE: IntentSource = 'router';

/** What clients have said and no plane asks for: it is told again, or says what goes with a VLAN. */
export type Note = {
  /** The VLAN that a client named. */
  readonly vlanId?: number;
  /** As they were written. */
  readonly subnet?: string;
  readonly gateway?: string;
};

export type Said = SaidWith<Note>;
export type RouterChange = ChangeOf<Note>;
export type RouterIntents = SaidIntents<Note>;
