/** How a certificate provider behaves, whichever it is: each implementation's test runs these against the real thing. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { clientCertificate } from '../agents/certificate.ts';
import { type KeyAndRequest, makeRequest } from '../testing/gateway.ts';
import { type CertificateProvider, GATEWAY_MS, type IssuedCertificate, normalSerial } from './provider.ts';
import { type CertificateRequest, readRequest } from './request.ts';

/** Clocks of authority and test may differ by this much, ms. */
const CLOCK_MS = 60_000;

export async function gatewayRequest(commonName = ''): Promise<KeyAndRequest & { readonly read: CertificateRequest }> {
  const made = await makeRequest(commonName);
  const read = await readRequest(made.csr);
  assert.ok(read.ok);
  return { ...made, read: read.value };
}

/** `open` is called when the first test runs, and gives the same provider each time. */
export function providerContract(
  name: string,
  open: () => Promise<CertificateProvider>,
  skip: string | false = false,
): void {
  test(`${name}: a gateway's certificate names it, is for its key, and leads to the root`, { skip }, async () => {
    const provider = await open();
    const made = await gatewayRequest();
    const issued = await provider.issue('gw-1', made.read);
    const leaf = new X509Certificate(issued.chain[0]!);
    assertLeadsToRoot(issued, provider.rootPem);
    assert.equal(leaf.subject, 'CN=gw-1');
    assert.equal(leaf.subjectAltName, 'URI:vrouter:gateway:gw-1');
    assert.ok(leaf.keyUsage.includes('1.3.6.1.5.5.7.3.2'), 'clientAuth');
    assert.equal(leaf.ca, false);
    const key = Buffer.from(made.read.publicKey.rawData);
    assert.deepEqual(leaf.publicKey.export({ type: 'spki', format: 'der' }), key);
    assert.equal(normalSerial(leaf.serialNumber), issued.serial);
  });

  test(`${name}: it lasts eight hours, began at least a minute ago, and does not outlive its issuer`, {
    skip,
  }, async () => {
    const provider = await open();
    const now = Date.now();
    const issued = await provider.issue('gw-1', (await gatewayRequest()).read);
    assert.ok(issued.notBeforeUnixMs <= now - 60_000 + CLOCK_MS / 2, 'back-dated');
    assert.ok(Math.abs(issued.notAfterUnixMs - now - GATEWAY_MS) < CLOCK_MS + 60_000);
    for (const issuer of issued.chain.slice(1))
      assert.ok(issued.notAfterUnixMs <= Date.parse(new X509Certificate(issuer).validTo));
  });

  test(`${name}: another certificate for the same gateway has another serial, key and issuer that is believed`, {
    skip,
  }, async () => {
    const provider = await open();
    const first = await provider.issue('gw-1', (await gatewayRequest()).read);
    const second = await provider.issue('gw-1', (await gatewayRequest('gw-1')).read);
    assert.notEqual(first.serial, second.serial);
    const trusted = provider.issuers().map(({ pem }) => new X509Certificate(pem).fingerprint256);
    for (const { chain } of [first, second]) assert.ok(trusted.includes(new X509Certificate(chain[1]!).fingerprint256));
    assert.equal(provider.issuers()[0]!.active, true);
  });

  test(`${name}: a revoked certificate can be revoked again`, { skip }, async () => {
    const provider = await open();
    const { serial } = await provider.issue('gw-2', (await gatewayRequest()).read);
    await provider.revoke(serial);
    await provider.revoke(serial);
  });

  test(`${name}: over real TLS the listener is whom the root says, and a gateway is known by its certificate`, {
    skip,
  }, async () => {
    const provider = await open();
    const first = await provider.server(['localhost', '127.0.0.1'], null, 0);
    const credentials = await provider.server(['localhost', '127.0.0.1'], first, 0);
    assert.ok(credentials.notAfterUnixMs > Date.now());
    const made = await gatewayRequest();
    const issued = await provider.issue('gw-tls', made.read);
    const server = createServer(
      { ...credentials, requestCert: true, rejectUnauthorized: false },
      (socket: TLSSocket) => {
        const who = clientCertificate(socket, provider.issuers());
        const text = who === null ? 'nobody' : `${who.gatewayId} ${who.serial}`;
        socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const ca = [...provider.roots()];
      const cert = issued.chain.join('');
      assert.equal(await ask({ port, ca, cert, key: made.key }), `gw-tls ${issued.serial}`);
      assert.equal(await ask({ port, ca }), 'nobody');
      const other = await gatewayRequest();
      await assert.rejects(
        ask({ port, ca, cert, key: other.key }),
        /mismatch/i,
        'the key must be that of the certificate',
      );
    } finally {
      server.close();
    }
  });
}

/** Each certificate is signed by the next, the last by the root. */
export function assertLeadsToRoot({ chain }: Pick<IssuedCertificate, 'chain'>, rootPem: string): void {
  const certificates = [...chain, rootPem].map((pem) => new X509Certificate(pem));
  for (const [i, issuer] of certificates.slice(1).entries()) {
    const subject = certificates[i]!;
    assert.ok(
      issuer.ca && subject.checkIssued(issuer) && subject.verify(issuer.publicKey),
      `certificate ${i} of the chain`,
    );
  }
}

function ask(options: { port: number; ca: string[]; cert?: string; key?: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end();
  });
}
