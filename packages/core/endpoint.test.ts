import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { makeEndpoint, parseEndpoint } from './endpoint.ts';
import { unmapped } from './ip.ts';

test('the text of an endpoint is canonical', () => {
  for (const [written, canonical] of [
    ['192.0.2.1:51820', '192.0.2.1:51820'],
    ['192.0.2.1:1', '192.0.2.1:1'],
    ['192.0.2.1:00080', '192.0.2.1:80'],
    ['[2001:DB8:0:0::1]:65535', '[2001:db8::1]:65535'],
    ['[::]:53', '[::]:53'],
    // IPv4-mapped is the IPv4 that it stands for: as IPv6 it would be dialled and never heard of again.
    ['[::ffff:192.0.2.2]:51820', '192.0.2.2:51820'],
    ['[::FFFF:c000:202]:51820', '192.0.2.2:51820'],
    ['[::1:ffff:192.0.2.2]:51820', '[::1:ffff:c000:202]:51820'],
  ] as const) {
    const parsed = parseEndpoint(written);
    assert.ok(parsed.ok, written);
    assert.equal(parsed.value.text, canonical);
  }
});

for (const text of [
  ...[
    '',
    ':',
    '192.0.2.1',
    '192.0.2.1:',
    ':51820',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '192.0.2.1:99999',
    '192.0.2.1:123456',
  ],
  ...[
    '192.0.2.1:-1',
    '192.0.2.1: 80',
    '192.0.2.1:80 ',
    '2001:db8::1:51820',
    '[2001:db8::1]',
    '[2001:db8::1]51820',
    '[]:1',
  ],
  ...['[192.0.2.1]:51820', '[[::1]]:1', 'example.org:51820', '192.0.2.256:1', '[::1%lo]:1', '192.0.2.1:80\n', '::1'],
]) {
  test(`${JSON.stringify(text)} is no endpoint`, () => {
    const parsed = parseEndpoint(text, 'endpoint');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'address.invalid');
    assert.equal(parsed.error.field, 'endpoint');
  });
}

test('parse(make(x).text) is x', () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(address, fc.integer({ min: 1, max: 65_535 }), (bytes, port) => {
      const made = makeEndpoint(unmapped(bytes), port);
      const parsed = parseEndpoint(made.text);
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value, made);
    }),
  );
});
