/** An intermediate in the words of the API. */
import { X509Certificate } from 'node:crypto';
import type { CaIssuer } from '@vrouter/api/rest/ca.ts';
import { normalSerial, type TrustedIssuer } from './provider.ts';

export function describeIssuer({ pem, active, trustedUntilUnixMs }: TrustedIssuer): CaIssuer {
  const certificate = new X509Certificate(pem);
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    serial: normalSerial(certificate.serialNumber),
    notBeforeUnixMs: Date.parse(certificate.validFrom),
    notAfterUnixMs: Date.parse(certificate.validTo),
    active,
    trustedUntilUnixMs,
  };
}
