/** The four kinds of certificate that there are here, RFC 5280 profiles: root, intermediate, server, gateway. */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { randomBytes, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { corrupt, importPrivateKey, keyAlgorithm, pemBlock, provider } from './keys.ts';

/** Certificates begin this much before they are made, since the other side's clock may be behind. ms. */
export const BACKDATE_MS = 5 * 60_000;

export const GATEWAY_URI = 'vrouter:gateway:';

export interface Issuer {
  readonly certificate: X509Certificate;
  readonly privateKey: CryptoKey;
}

/** Key and certificate in one text. Throws ProblemError `data.corrupt`, naming `path`. */
export async function readIssuer(path: string, text: string): Promise<Issuer> {
  const key = pemBlock(text, 'PRIVATE KEY');
  const certificate = pemBlock(text, 'CERTIFICATE');
  if (key === null || certificate === null) throw corrupt(path);
  try {
    return { certificate: new X509Certificate(certificate), privateKey: await importPrivateKey(key) };
  } catch {
    throw corrupt(path);
  }
}

interface Subject {
  readonly commonName: string;
  readonly publicKey: PublicKey | CryptoKey;
  /** How long it is to be good from `nowUnixMs` on, ms; cut at the issuer's own end. */
  readonly lifetimeMs: number;
  readonly nowUnixMs: number;
}

export async function issueRoot(
  subject: Omit<Subject, 'publicKey'>,
  keys: webcrypto.CryptoKeyPair,
): Promise<X509Certificate> {
  return X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [subject.commonName] }],
      keys,
      signingAlgorithm: keyAlgorithm,
      serialNumber: newSerial(),
      notBefore: new Date(subject.nowUnixMs - BACKDATE_MS),
      notAfter: new Date(subject.nowUnixMs + subject.lifetimeMs),
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, provider),
      ],
    },
    provider,
  );
}

export async function issueIntermediate(subject: Subject, issuer: Issuer): Promise<X509Certificate> {
  return issue(subject, issuer, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ]);
}

/** A TLS server's certificate; `hosts` are DNS names and IP addresses. */
export async function issueServer(
  subject: Subject,
  hosts: readonly string[],
  issuer: Issuer,
): Promise<X509Certificate> {
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }));
  return issue(subject, issuer, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names),
  ]);
}

/** A gateway's client certificate: CN and URI name the gateway; of what it asked for only the key is used. */
export async function issueGateway(subject: Subject, issuer: Issuer): Promise<X509Certificate> {
  return issue(subject, issuer, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension([{ type: 'url', value: GATEWAY_URI + subject.commonName }]),
  ]);
}

async function issue(subject: Subject, issuer: Issuer, extensions: readonly Extension[]): Promise<X509Certificate> {
  const end = Math.min(subject.nowUnixMs + subject.lifetimeMs, issuer.certificate.notAfter.getTime());
  return X509CertificateGenerator.create(
    {
      subject: [{ CN: [subject.commonName] }],
      issuer: issuer.certificate.subjectName,
      publicKey: subject.publicKey,
      signingKey: issuer.privateKey,
      signingAlgorithm: keyAlgorithm,
      serialNumber: newSerial(),
      notBefore: new Date(subject.nowUnixMs - BACKDATE_MS),
      notAfter: new Date(end),
      extensions: [
        ...extensions,
        await SubjectKeyIdentifierExtension.create(subject.publicKey, false, provider),
        await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey, false, provider),
      ],
    },
    provider,
  );
}

/** 126 random bits; the first byte keeps the number positive and of full length (RFC 5280 section 4.1.2.2). */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}
