/** Who is at the other end of a TLS connection, by its client certificate alone. */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { GATEWAY_URI } from '../ca/issue.ts';
import { normalSerial, type TrustedIssuer } from '../ca/provider.ts';

export interface ClientCertificate {
  readonly gatewayId: string;
  /** As the store has it. */
  readonly serial: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

/**
 * Reads the certificate that a client has shown; the handshake proved that it has the key. Null: none, or not one of ours. Whether it
 * is still good, and still wanted, is the caller's to ask at every request, since connections live long.
 */
export function clientCertificate(socket: TLSSocket, issuers: readonly TrustedIssuer[]): ClientCertificate | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return null;
  const isOurs = issuers.some(({ pem }) => {
    const issuer = new X509Certificate(pem);
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  });
  if (!isOurs) return null;
  const uri = (certificate.subjectAltName ?? '').split(', ').find((name) => name.startsWith(`URI:${GATEWAY_URI}`));
  if (uri === undefined) return null;
  return {
    gatewayId: uri.slice('URI:'.length + GATEWAY_URI.length),
    serial: normalSerial(certificate.serialNumber),
    notBeforeUnixMs: Date.parse(certificate.validFrom),
    notAfterUnixMs: Date.parse(certificate.validTo),
  };
}
