/** How published ports are written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../failure.ts';
import { parseOutside, parsePublished, withPort } from './port-text.ts';

for (const [text, hostAddress, hostPort, protocol, to] of [
  ['8080:172.18.0.2:80', null, 8080, 'tcp', '172.18.0.2:80'],
  ['8080:172.18.0.2:80/tcp', null, 8080, 'tcp', '172.18.0.2:80'],
  ['53:172.18.0.2:5353/UDP', null, 53, 'udp', '172.18.0.2:5353'],
  ['127.0.0.1:36412:172.18.0.2:36412/sctp', '127.0.0.1', 36412, 'sctp', '172.18.0.2:36412'],
  ['0.0.0.0:80:172.18.0.2:80', '0.0.0.0', 80, 'tcp', '172.18.0.2:80'],
  ['*:80:172.18.0.2:80', '*', 80, 'tcp', '172.18.0.2:80'],
  ['8000-8099:172.18.0.2:9000', null, 8000, 'tcp', '172.18.0.2:9000-9099'],
  ['8000-8099:172.18.0.2:9000-9099/udp', null, 8000, 'udp', '172.18.0.2:9000-9099'],
  ['8080:[fd18::2]:80', null, 8080, 'tcp', '[fd18::2]:80'],
  ['[::1]:8080:[fd18::2]:80', '::1', 8080, 'tcp', '[fd18::2]:80'],
] as const)
  test(text, () => {
    const port = parsePublished(text);
    assert.deepEqual([port.hostAddress, port.hostPort, port.protocol], [hostAddress, hostPort, protocol]);
    assert.equal(withPort(port.address, port.port, port.count), to);
    // What was written is also what unpublishes it.
    assert.equal(parseOutside(text).hostPort, hostPort);
  });

for (const [text, hostAddress, hostPort, last, protocol] of [
  ['8080', null, 8080, null, 'tcp'],
  ['8080/udp', null, 8080, null, 'udp'],
  ['8000-8099', null, 8000, 8099, 'tcp'],
  ['192.0.2.7:80', '192.0.2.7', 80, null, 'tcp'],
  ['[::1]:80/sctp', '::1', 80, null, 'sctp'],
] as const)
  test(`unpublish ${text}`, () => assert.deepEqual(parseOutside(text), { hostAddress, hostPort, last, protocol }));

for (const [text, why] of [
  ['8080:80', /whose port/],
  ['80', /no published port/],
  ['', /no published port/],
  ['8080:172.18.0.2', /no published port/],
  ['8080:172.18.0.2:http', /no published port/],
  ['8080:172.18.0.2:80/icmp', /no protocol of tcp, udp, sctp/],
  ['8080:172.18.0.2:80/', /no protocol/],
  ['8080:fd18::2:80', /no published port/],
  ['8080:[fd18::2:80', /no published port/],
  ['8080:[fd18::2]80', /no published port/],
  ['8099-8000:172.18.0.2:80', /ends before it begins/],
  ['8000-8009:172.18.0.2:80-81', /10 ports outside and 2 inside/],
  ['1:2:3:4:5', /no published port/],
  ['808080:172.18.0.2:80', /no published port/],
  ['07012:172.18.0.2:80', /leading zero: write 7012/],
  ['7012:172.18.0.2:080', /leading zero: write 80/],
  ['8000-08009:172.18.0.2:80', /leading zero: write 8009/],
] as const)
  test(`wrong: ${text}`, () => {
    assert.throws(
      () => parsePublished(text),
      (thrown) => thrown instanceof Failure && thrown.code === 'usage' && why.test(thrown.message),
    );
  });
