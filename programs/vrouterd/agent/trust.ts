/**
 * Whether a TLS server is the controller, by a clock that is not the host's. OpenSSL judges by the host's clock alone; when that is
 * wrong by months, no certificate of ours and none of the controller's would ever be good again, and nobody could tell.
 *
 * The time that is used instead is the controller's own word (`serverTimeUnixMs`), taken only over a connection whose server has shown a
 * certificate that leads to our root and names the host, and only if that certificate is good at that very time and the time is not
 * before `floorUnixMs`, the begin of the certificate that the controller gave us last. So a key that was stolen helps for no longer than it
 * would with a right clock: until its certificate ends, or we have renewed ours since.
 */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
/** Clocks may differ by this much, ms. */
export const SKEW_MS = 5 * 60_000;
/** Longest chain that is looked at: leaf, intermediates, root. */
const CHAIN_MAX = 6;

/** Why a TLS connection is not to the controller. `isTime`: by the clock alone. */
export class Distrust extends Error {
  readonly isTime: boolean;

  constructor(why: string, isTime: boolean) {
    super(why);
    this.isTime = isTime;
  }
}

/** What a server has shown, leaf first. */
export function shownChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < CHAIN_MAX) {
    const certificate = new X509Certificate(next.raw);
    if (chain.at(-1)?.fingerprint256 === certificate.fingerprint256) break;
    chain.push(certificate);
    next = next.issuerCertificate;
  }
  return chain;
}

/**
 * Checks names, uses and signatures up to one of the roots, and the times at `nowUnixMs`; null leaves the times out.
 * Returns null when all is well.
 */
export function distrust(
  chain: readonly X509Certificate[],
  roots: string,
  host: string,
  nowUnixMs: number | null,
): Distrust | null {
  const [leaf] = chain;
  if (leaf === undefined) return new Distrust('the server shows no certificate', false);
  const named = isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host);
  if (named === undefined) return new Distrust(`the certificate of the server is not for ${host}`, false);
  if (leaf.ca || !leaf.keyUsage.includes(SERVER_AUTH))
    return new Distrust('the certificate of the server is not one for servers', false);
  const trusted = rootsOf(roots);
  const path: X509Certificate[] = [];
  for (const certificate of chain) {
    path.push(certificate);
    const root = trusted.find(
      (one) => one.fingerprint256 === certificate.fingerprint256 || isIssuedBy(certificate, one),
    );
    if (root !== undefined) return nowUnixMs === null ? null : outOfTime([...path, root], nowUnixMs);
    const issuer = chain[path.length];
    if (issuer === undefined || !isIssuedBy(certificate, issuer)) break;
  }
  return new Distrust('the certificate of the server does not lead to the root that this gateway knows', false);
}

export function rootsOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function outOfTime(path: readonly X509Certificate[], nowUnixMs: number): Distrust | null {
  for (const { validFrom, validTo } of path) {
    if (nowUnixMs + SKEW_MS < Date.parse(validFrom))
      return new Distrust(`the controller's certificate is not good before ${validFrom}`, true);
    if (nowUnixMs - SKEW_MS > Date.parse(validTo))
      return new Distrust(`the controller's certificate ended ${validTo}`, true);
  }
  return null;
}
