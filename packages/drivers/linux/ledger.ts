/**
 * What cannot carry our mark and yet is ours to give back: a kernel switch with the value that it had before us, an interface of the host
 * that we have taken in. Written before the step that it is about, so that whoever comes after a crash knows. JSON texts by key; keys are
 * those of objects.
 */
export interface Ledger {
  get(key: string): string | null;
  /** Durable when it returns. Throws ProblemError. */
  set(key: string, value: string): void;
  delete(key: string): void;
  /** Keys and values of those that begin so. */
  entries(prefix: string): readonly (readonly [string, string])[];
}

/** One that is gone with the process, for tests and for planes that are made anew each time. */
export class MemoryLedger implements Ledger {
  readonly #rows = new Map<string, string>();

  get(key: string): string | null {
    return this.#rows.get(key) ?? null;
  }

  set(key: string, value: string): void {
    this.#rows.set(key, value);
  }

  delete(key: string): void {
    this.#rows.delete(key);
  }

  entries(prefix: string): readonly (readonly [string, string])[] {
    return [...this.#rows].filter(([key]) => key.startsWith(prefix));
  }
}
