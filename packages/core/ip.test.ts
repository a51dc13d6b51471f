import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatIp, parseIp } from './ip.ts';

function bytesOf(text: string): number[] {
  const parsed = parseIp(text);
  assert.ok(parsed.ok, text);
  return [...parsed.value];
}

function textOf(text: string): string {
  const parsed = parseIp(text);
  assert.ok(parsed.ok, text);
  return formatIp(parsed.value);
}

test('IPv4 bytes are in network order', () => {
  assert.deepEqual(bytesOf('192.0.2.1'), [192, 0, 2, 1]);
  assert.deepEqual(bytesOf('0.0.0.0'), [0, 0, 0, 0]);
  assert.deepEqual(bytesOf('255.255.255.255'), [255, 255, 255, 255]);
});

test('IPv6 bytes are in network order', () => {
  assert.deepEqual(bytesOf('2001:db8::1'), [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(bytesOf('::'), new Array(16).fill(0));
  assert.deepEqual(bytesOf('::ffff:192.0.2.128').slice(10), [0xff, 0xff, 192, 0, 2, 128]);
});

// RFC 5952: many ways in, one way out.
const canonical: readonly (readonly [section: string, written: string, canonical: string])[] = [
  ['1', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1', '2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1', '2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1', '2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
  ['2.1', '2001:0001:2:3:4:5:6:0007', '2001:1:2:3:4:5:6:7'],
  ['2.2', '2001:db8:aaaa:bbbb:cccc:dddd:0:1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
  ['4.1', '2001:0db8::0001', '2001:db8::1'],
  ['4.1', '2001:db8:0000:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['4.2.1', '2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
  ['4.2.1', '2001:db8::0:1', '2001:db8::1'],
  ['4.2.2', '2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['4.2.3', '2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['4.2.3', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['4.3', '2001:DB8::ABCD', '2001:db8::abcd'],
  ['', '0:0:0:0:0:0:0:0', '::'],
  ['', '0:0:0:0:0:0:0:1', '::1'],
  ['', '1:0:0:0:0:0:0:0', '1::'],
  ['', '0:1:2:3:4:5:6:7', '0:1:2:3:4:5:6:7'],
  ['', '0:0:2:3:4:5:6:7', '::2:3:4:5:6:7'],
  ['', '1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
  ['', '1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['', '::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ['', '64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
];

for (const [section, written, expected] of canonical) {
  test(`RFC 5952 ${section} ${written} is written ${expected}`, () => assert.equal(textOf(written), expected));
}

const refused = [
  ...[
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-1',
    '01.2.3.4',
    '1.2.3.04',
    '00.0.0.0',
    '1.2.3.4 ',
    ' 1.2.3.4',
  ],
  ...[
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '0x1.2.3.4',
    '1e1.2.3.4',
    '١.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4/24',
    '1,2,3,4',
    '4294967295',
  ],
  ...[':', ':::', '::1::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '::1:2:3:4:5:6:7:8'],
  ...[
    '1:2:3:4::5:6:7:8',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    '::1%eth0',
    '[::1]',
    '::1\n',
    '1:2:3:4:5:6:7:1.2.3.4',
  ],
  ...[
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '::01.2.3.4',
    '::1.2.3.256',
    '-1::',
    '+1::',
    '1 ::',
    'localhost',
    'example.org',
  ],
];

for (const text of refused) {
  test(`${JSON.stringify(text)} is no address`, () => {
    const parsed = parseIp(text, 'peer.endpoint');
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.code, 'address.invalid');
    assert.equal(parsed.error.field, 'peer.endpoint');
  });
}

test('a long text is not repeated in full', () => {
  const parsed = parseIp('x'.repeat(100_000));
  assert.ok(!parsed.ok && parsed.error.message.length < 200);
});

const anyAddress = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Zero groups, which noise hardly has.
  fc
    .array(fc.constantFrom(0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
    .map((words) => Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]))),
);

test('parse(format(x)) is x', () => {
  fc.assert(
    fc.property(anyAddress, (bytes) => assert.deepEqual(bytesOf(formatIp(bytes)), [...bytes])),
    { numRuns: 1000 },
  );
});

test('no text makes it throw', () => {
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:.]{0,45}$/));
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseIp(text);
      if (parsed.ok) assert.equal(textOf(formatIp(parsed.value)), formatIp(parsed.value));
    }),
    { numRuns: 1000 },
  );
});
