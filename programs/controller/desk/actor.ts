import type { Asking } from '../desired/asking.ts';
import type { Terms } from './terms.ts';

/** Who asks for a change, for the audit, and on what terms. */
export interface Actor extends Terms, Asking {
  /** Address that it came from. */
  readonly source: string | null;
}
