/** How far a gateway's certificate is on its way to its end: the same words at the gateway and at its controller. No clock. */
import { z } from 'zod';

/** `good`; `late`: it should have been renewed at half its life and was not at 70 %; `critical`: nor at 85 %; `ended`. */
export const certificateState = z.enum(['good', 'late', 'critical', 'ended']);
export type CertificateState = z.infer<typeof certificateState>;

export const RENEW_AT = 0.5;
export const LATE_AT = 0.7;
export const CRITICAL_AT = 0.85;

/** Unix ms. */
export interface CertificateTimes {
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/** Share of its life that is over: below 0 before it begins, above 1 after its end. */
export function lifeUsed({ notBeforeUnixMs, notAfterUnixMs }: CertificateTimes, nowUnixMs: number): number {
  return (nowUnixMs - notBeforeUnixMs) / Math.max(1, notAfterUnixMs - notBeforeUnixMs);
}

export function stateOfCertificate(times: CertificateTimes, nowUnixMs: number): CertificateState {
  const used = lifeUsed(times, nowUnixMs);
  if (used >= 1) return 'ended';
  if (used >= CRITICAL_AT) return 'critical';
  return used >= LATE_AT ? 'late' : 'good';
}
