import type { Terms } from './terms.ts';

/** Who asks for a change, for the audit, and on what terms. */
export interface Actor extends Terms {
  /** Name of a user, with `oidc/` before that of a person of a provider; or a gateway id. */
  readonly name: string;
  /** Id of the API token that the user showed; null for who has none. */
  readonly tokenId: string | null;
  /** Address that it came from. */
  readonly source: string | null;
}
