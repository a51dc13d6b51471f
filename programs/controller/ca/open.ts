/** The authority that the options name, in its folder. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Authority } from './authority.ts';
import type { IssuerBook } from './issuer-book.ts';
import type { CertificateProvider } from './provider.ts';
import { StepCa, type StepCaOptions } from './step/step-ca.ts';

/**
 * `stepCa`: null is the embedded one. `knownFingerprint`: of the root that gateways know; one of another root would lock them all out.
 * Throws what the authorities throw when they are opened.
 */
export async function openProvider(
  folder: string,
  stepCa: StepCaOptions | null,
  knownFingerprint: string | null,
  unixMs: () => number,
  book: IssuerBook,
): Promise<CertificateProvider> {
  if (stepCa === null) return Authority.open(folder, knownFingerprint, unixMs, book);
  if (knownFingerprint !== null && knownFingerprint !== stepCa.fingerprint) {
    const hint = `the gateways of this controller know the root ${knownFingerprint}; with another one they would have to join anew, on a new data folder`;
    throw new ProblemError(problem('config.invalid', hint, '--step-ca-fingerprint'));
  }
  return StepCa.open(folder, stepCa, unixMs);
}
