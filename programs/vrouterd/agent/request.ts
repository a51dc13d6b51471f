/** A new private key and the certificate request (PKCS #10) for it. */
// @peculiar/x509 needs it to be there first, and does not bring it itself.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import type { KeyAndRequest } from './identity.ts';

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** `commonName` may be empty: who does not know its id yet asks for no name, and an authority that minds names has none to mind. */
export async function makeKeyAndRequest(commonName: string): Promise<KeyAndRequest> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create(
    { name: commonName === '' ? '' : [{ CN: [commonName] }], keys, signingAlgorithm: keyAlgorithm },
    webcrypto as Crypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = pkcs8.match(/.{1,64}/g)!.join('\n');
  return { key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`, csr: csr.toString('pem') };
}
