import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { judgeRequest, type RequestHeaders } from './guard.ts';

const cases: readonly (readonly [string, RequestHeaders, string, boolean])[] = [
  ['the loopback', { host: '127.0.0.1:8080' }, '127.0.0.1', true],
  ['its name', { host: 'localhost:8080' }, '127.0.0.1', true],
  ['IPv6', { host: '[::1]:8080' }, '::1', true],
  ['another port, as through a tunnel', { host: 'localhost:9999' }, '127.0.0.1', true],
  ['a rebound name', { host: 'evil.example:8080' }, '127.0.0.1', false],
  ['a name that only looks like it', { host: 'localhost.evil.example' }, '127.0.0.1', false],
  ['no host', {}, '127.0.0.1', false],
  ['nonsense', { host: '::::' }, '127.0.0.1', false],
  ['its own page', { host: 'localhost:8080', origin: 'http://localhost:8080' }, '127.0.0.1', true],
  ['a page of another port', { host: 'localhost:8080', origin: 'http://localhost:3000' }, '127.0.0.1', false],
  ['a page of another site', { host: 'localhost:8080', origin: 'https://evil.example' }, '127.0.0.1', false],
  ['a page without an origin', { host: 'localhost:8080', origin: 'null' }, '127.0.0.1', false],
  ['a link from another site', { host: 'localhost:8080', 'sec-fetch-site': 'cross-site' }, '127.0.0.1', false],
  ['typed into the address bar', { host: 'localhost:8080', 'sec-fetch-site': 'none' }, '127.0.0.1', true],
  ['the bound address', { host: '192.0.2.1:8080' }, '192.0.2.1', true],
  ['another address', { host: '192.0.2.2:8080' }, '192.0.2.1', false],
  ['any address when bound to all', { host: '192.0.2.2:8080' }, '0.0.0.0', true],
  ["this machine's name when bound to all", { host: hostname() }, '::', true],
  ['another name when bound to all', { host: 'evil.example' }, '0.0.0.0', false],
];

for (const [name, headers, bound, passes] of cases)
  test(`${passes ? 'passes' : 'refused'}: ${name}`, () => {
    const why = judgeRequest(headers, bound);
    assert.equal(why === null, passes, why?.message ?? 'passed');
    if (why !== null) assert.equal(why.code, 'request.forbidden');
  });

test('over TLS, names of the certificate pass, and pages of https', () => {
  const tls = { isFor: (host: string) => host === 'controller.example' };
  const judge = (headers: RequestHeaders) => judgeRequest(headers, '0.0.0.0', tls)?.code ?? 'passed';
  const host = 'controller.example:8443';
  assert.equal(judge({ host }), 'passed');
  assert.equal(judge({ host, origin: `https://${host}` }), 'passed');
  assert.equal(judge({ host, origin: `http://${host}` }), 'request.forbidden');
  assert.equal(judge({ host: 'evil.example:8443' }), 'request.forbidden');
  assert.equal(
    judgeRequest({ host }, '0.0.0.0')?.code,
    'request.forbidden',
    'without a certificate it is a stranger’s name',
  );
});
