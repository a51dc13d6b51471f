/** Whose certificates are believed, and what is said of those that are not. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Failure } from '../failure.ts';

/** The certificates in a file of roots, PEM. Failure `config.invalid`. */
export function readRoots(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure('config.invalid', `cannot read the certificates in ${path}: ${why}`, '--ca');
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  for (const pem of found) {
    try {
      new X509Certificate(pem);
    } catch {
      throw new Failure('config.invalid', `there is a certificate in ${path} that cannot be read`, '--ca');
    }
  }
  if (found.length === 0) throw new Failure('config.invalid', `there is no certificate (PEM) in ${path}`, '--ca');
  return found;
}

/** From now on this process also believes these, whoever it asks: fetch has no other way. */
export function alsoTrust(roots: readonly string[]): void {
  setDefaultCACertificates([...getCACertificates('default'), ...roots]);
}

const UNTRUSTED: readonly string[] = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
];

/** What a TLS handshake that failed was about; null when it was something else. `who` begins the sentence. */
export function tlsFailure(who: string, url: URL, error: unknown): Failure | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  const code = String(error.code);
  if (UNTRUSTED.includes(code)) {
    const hint = `${who} shows a certificate of an authority that is not trusted here (${code}); name its root with --ca FILE`;
    return new Failure('tls.untrusted', hint, '--ca');
  }
  if (code === 'CERT_HAS_EXPIRED')
    return new Failure('tls.untrusted', `the certificate of ${who} has ended; it needs a new one, or a clock is wrong`);
  if (code === 'CERT_NOT_YET_VALID')
    return new Failure(
      'tls.untrusted',
      `the certificate of ${who} is not good yet; is the clock of this machine right?`,
    );
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = (error as { readonly cert?: { readonly subjectaltname?: string } }).cert?.subjectaltname;
    const hint = `the certificate of ${who} is not for ${url.hostname} but for ${namesOf(names)}; use one of those names`;
    return new Failure('tls.untrusted', hint, '--controller');
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) {
    const plain = code === 'ERR_SSL_WRONG_VERSION_NUMBER' || /wrong version number/i.test(error.message);
    const hint = plain
      ? `${who} does not speak TLS; ask it by http://, or give it a certificate`
      : `${who} and this command could not agree on TLS (${code})`;
    return new Failure('controller.unreachable', hint, '--controller');
  }
  return null;
}

/** `DNS:a, IP Address:b` as `a, b`. */
function namesOf(subjectAltName: string | undefined): string {
  return subjectAltName?.replaceAll(/(?:DNS|IP Address|URI):/g, '').slice(0, 200) ?? 'no name at all';
}
