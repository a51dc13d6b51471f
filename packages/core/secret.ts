/**
 * A secret on its way from a file to a plane. Printing, logging or serializing it shows the fingerprint alone; who needs the bytes
 * asks for them by name. Secrets are compared by fingerprint (SHA-256 of the bytes, lower-case hex), which the maker supplies, since
 * this package knows no hash.
 */
export class Secret {
  readonly fingerprint: string;
  readonly #value: Uint8Array;

  constructor(value: Uint8Array, fingerprint: string) {
    this.#value = value;
    this.fingerprint = fingerprint;
  }

  reveal(): Uint8Array {
    return this.#value;
  }

  toJSON(): { fingerprint: string } {
    return { fingerprint: this.fingerprint };
  }

  toString(): string {
    return `Secret(${this.fingerprint.slice(0, 8)})`;
  }
}

/** What a plane tells of a secret that it holds. A Secret has this shape too, so both compare alike. */
export interface SecretFingerprint {
  readonly fingerprint: string;
}
