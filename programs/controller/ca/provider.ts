/** What the controller needs of a certificate authority; `contract.testing.ts` says how one behaves. */
import type { CertificateRequest } from './request.ts';

export interface IssuedCertificate {
  /** Leaf first, then the intermediates, PEM each. */
  readonly chain: readonly string[];
  /** Lower-case hex without leading zeroes or colons. */
  readonly serial: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

export interface ServerCredentials {
  readonly key: string;
  /** The whole chain, PEM. */
  readonly cert: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** An intermediate whose certificates are believed. */
export interface TrustedIssuer {
  readonly pem: string;
  /** It signs what is issued now; the others only wait until what they have signed has ended. */
  readonly active: boolean;
  /** Until when its certificates are believed, Unix ms. */
  readonly trustedUntilUnixMs: number;
}

/** How the authority is: `failing` since when, and what it said last. */
export type ProviderHealth =
  | { readonly state: 'working' }
  | { readonly state: 'failing'; readonly sinceUnixMs: number; readonly why: string };

export interface CertificateProvider {
  readonly kind: 'embedded' | 'step-ca';
  /** The root that join strings name, PEM; it never changes for gateways that have joined. */
  readonly rootPem: string;
  /** SHA-256 of its DER, lower-case hex. */
  readonly rootFingerprint: string;
  /** All roots that a gateway should trust, PEM, `rootPem` first. */
  roots(): readonly string[];
  /** The active one first. */
  issuers(): readonly TrustedIssuer[];
  /**
   * A certificate for the key of the request: CN and the URI `vrouter:gateway:<id>` name the gateway, whatever the request says. A
   * renewal is the same act, since it always brings a new key. Throws ProblemError `ca.unreachable`, `ca.refused`, `input.invalid` (csr).
   */
  issue(gatewayId: string, request: CertificateRequest): Promise<IssuedCertificate>;
  /**
   * Tells the authority that a certificate is not to be renewed; telling it twice is no failure. The controller does not depend on it: it
   * refuses whom it has revoked itself. Throws ProblemError `ca.unreachable`, `ca.refused`.
   */
  revoke(serial: string): Promise<void>;
  /**
   * Key and certificate for the gateways' listener. `before`: those that it has now, for an authority that renews. `knownUnixMs`: the
   * latest time that the store has seen; when the clock was put back behind it, an authority with a clock of ours gives a certificate
   * that is good then as well, for gateways whose clocks are right. Throws ProblemError `ca.unreachable`, `ca.refused`.
   */
  server(hosts: readonly string[], before: ServerCredentials | null, knownUnixMs: number): Promise<ServerCredentials>;
  health(): ProviderHealth;
  /** Looks whether the authority is there, for `health`. Never rejects. */
  check(): Promise<void>;
  /**
   * Takes over what other controllers on the same store have done: intermediates that they issue with, and a rotation that one of them
   * was told of. Throws `store.unavailable`.
   */
  follow(): Promise<void>;
  /** Issues with a new intermediate from now on. Throws ProblemError `intent.unsupported` when that is not ours to do. */
  rotate(): Promise<void>;
}

/** How long a gateway's certificate is good, ms. */
export const GATEWAY_MS = 8 * 3_600_000;
/** An ended certificate can still be renewed for this long, ms, if the policy does not say less. */
export const GRACE_MS = 7 * 24 * 3_600_000;

/** A serial as the store has it. */
export function normalSerial(serial: string): string {
  return serial.toLowerCase().replace(/^0+/, '');
}
