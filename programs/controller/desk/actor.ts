/** Who asks for a change, for the audit. */
export interface Actor {
  /** `rest`, or a gateway id. */
  readonly name: string;
  /** Address that it came from. */
  readonly source: string | null;
}
