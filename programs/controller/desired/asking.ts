/** Who asks for a change, and on what terms: the part of it that concerns whoever writes it. */
import type { Tx } from '../store/schema.ts';

/** Writes an answer where it is found when it is asked for again. */
export type KeepAnswer = (tx: Tx, answer: object) => Promise<void>;

export interface Asking {
  /** Name of a user, with `oidc/` before that of a person of a provider; or a gateway id. */
  readonly name: string;
  /** Id of the API token that the user showed; null for who has none. */
  readonly tokenId: string | null;
  /** Writes the answer in the transaction of the change; null: nobody will ask for it again. */
  readonly keep?: KeepAnswer | null;
  /** Only what it would do is asked for: it ends in a DryRun, and nothing is different afterwards. */
  readonly dryRun?: boolean;
}
