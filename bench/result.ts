/** What a bench tells. Plain numbers, units in their names. */
export interface BenchResult {
  readonly bench: string;
  /** False when a peer was not there, or was not the real thing: then there is no ratio to speak of. */
  readonly real: boolean;
  readonly ours: Record<string, number>;
  readonly peers: Record<string, Record<string, number>>;
  /** By peer; above 1 where we are better, whatever the unit. */
  readonly ratio: Record<string, number>;
  readonly note?: string;
}
