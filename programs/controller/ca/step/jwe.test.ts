/** An encrypted key that step-ca's own library has made, and what is refused of others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openJwe, parseJwe } from './jwe.ts';

/** `step-ca key hello` of tests/step-ca: 100,000 iterations. */
const made = {
  protected:
    'eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJjdHkiOiJqd2sranNvbiIsImVuYyI6IkEyNTZHQ00iLCJwMmMiOjEwMDAwMCwicDJzIjoiRnFrVEptZFI4WFZjaUZwbG5PY2xkUSJ9',
  encrypted_key: 'tZsSebLH2ld2JcF3LBTH9Ill58x7RCu9MceLFKmygZmKGbJ-wdcjAw',
  iv: 'S3VEheseP6qUegjM',
  ciphertext:
    'rkhYlgwwlcneTJJ52a65AxEZXgXCeM5deZCJzbzCAH2tLq46vGRocqs92cTgmaGkerem_8vMmQtrCod00ms5im8IFPxibFNh3Af1m5LAYSkbKwswrF__ZiywAA0AHKaMC4m6D8IFlz44w0luEgeipj8R_brE15Z6mk_U3-vuDNazPOxHBgU8N3sxQwSb521cGNWq_PDc9FP2Q8dMQaRITckbBtxfvXpKzrkCnyeC31MZEVzKwCeeLke-emEYpcIeioQoYmCSaoH4PR25M1JjbuFniMlKkTBltE46Arj3pTl_iBv91G0oXStllyWIbP_MjnFqhp9wmrmMMSASJoI',
  tag: 'xJUvY0CFBNEOyHGgdx8kfw',
};
const compact = Object.values(made).join('.');

test('it is opened, in both forms, by its password alone', async () => {
  for (const text of [compact, JSON.stringify(made), ` ${compact}\n`]) {
    const sealed = parseJwe(text);
    assert.ok(sealed.ok);
    const opened = await openJwe(sealed.value, 'hello');
    assert.ok(opened.ok);
    const jwk = JSON.parse(opened.value) as { kty: string; kid: string; d: string };
    assert.deepEqual([jwk.kty, jwk.kid], ['EC', 'DOENSE1L6cbz8H0_XilTGAsfohq58a3FUJyzLosyqpw']);
    assert.match(jwk.d, /^[\w-]{43}$/);
    const wrong = await openJwe(sealed.value, 'hello ');
    assert.ok(!wrong.ok);
  }
});

test('a bit changed anywhere is noticed', async () => {
  for (const part of ['encrypted_key', 'iv', 'ciphertext', 'tag'] as const) {
    const text = made[part];
    const changed = { ...made, [part]: (text.startsWith('A') ? 'B' : 'A') + text.slice(1) };
    const sealed = parseJwe(Object.values(changed).join('.'));
    assert.ok(sealed.ok);
    assert.equal((await openJwe(sealed.value, 'hello')).ok, false, part);
  }
});

const header = (changes: object): string =>
  Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(made.protected, 'base64url').toString()), ...changes }),
  ).toString('base64url');

for (const [why, text] of [
  ['nothing', ''],
  ['four parts', compact.split('.').slice(1).join('.')],
  ['another algorithm', compact.replace(made.protected, header({ alg: 'dir' }))],
  ['a billion iterations', compact.replace(made.protected, header({ p2c: 1e9 }))],
  ['no iterations', compact.replace(made.protected, header({ p2c: 0 }))],
  ['a short salt', compact.replace(made.protected, header({ p2s: 'AAAA' }))],
  ['a short tag', compact.slice(0, -4)],
  ['no base64', compact.replace(made.iv, '!!!!')],
  ['too long', compact.repeat(20)],
] as const)
  test(`refused: ${why}`, () => {
    const read = parseJwe(text);
    assert.ok(!read.ok);
    assert.equal(read.error.code, 'input.invalid');
  });
