import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const platform = (bytes: Uint8Array): string | null => {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
};

test('encodes like the platform, lone surrogates included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.string(), (text, ascii) => {
      for (const whole of [text, ascii + text, `${text}\ud800`, `\udc00${ascii}`])
        assert.deepEqual(encodeUtf8(whole), new TextEncoder().encode(whole));
    }),
    { seed: 21 },
  );
});

test('decodes like the platform, and refuses what it refuses', () => {
  const unit = fc.oneof(
    fc.nat(255).map((byte) => [byte]),
    // Edges: overlong forms, surrogates, the last code point and the first beyond.
    fc
      .constantFrom(
        'c080',
        'c1bf',
        'c280',
        'e08080',
        'e0a080',
        'eda080',
        'ed9fbf',
        'ee8080',
        'f0808080',
        'f0908080',
        'f48fbfbf',
        'f4908080',
        'f5808080',
        'e282',
        'efbbbf',
      )
      .map((hex) => [...Uint8Array.fromHex(hex)]),
  );
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 8 }), (units) => {
      const bytes = Uint8Array.from(units.flat());
      assert.equal(decodeUtf8(bytes), platform(bytes), bytes.toHex());
    }),
    { seed: 22, numRuns: 5000 },
  );
});

test('long texts come back whole', () => {
  const text = `${'a'.repeat(10_000)}\u00e9\u20ac\u{1f600}${'b'.repeat(4093)}\u20ac${'c'.repeat(9000)}`;
  assert.equal(decodeUtf8(encodeUtf8(text)), text);
});
