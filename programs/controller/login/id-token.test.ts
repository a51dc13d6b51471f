/** ID tokens that are not as they should be: each is refused with the same words, and the audit knows why. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { CLIENT, OTHER_CLIENT, TestProvider } from '../testing/oidc.testing.ts';
import type { Doubt } from './id-token.ts';
import { NONCE_LIFE_MS } from './nonce.ts';
import { idTokenOf, is, openScene, type Scene } from './scene.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-id-token-'));
const at = await TestProvider.start();
const elsewhere = await TestProvider.start();
for (const provider of [at, elsewhere])
  provider.people.set('kim', { groups: ['net-admins'], preferred_username: 'kim' });
after(async () => {
  await at[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
let files = 0;
const open = () => openScene(join(folder, `${files++}.db`), at);

const seconds = (set: Scene): number => Math.floor(set.unixMs() / 1000);

/** The public key of the provider as text, with which a careless verifier would take an HMAC for a signature. */
async function publicPem(): Promise<Buffer> {
  const { keys } = (await (await fetch(`${at.issuer}/jwks`)).json()) as { keys: [JWK] };
  const pem = createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  return Buffer.from(pem);
}

function spoilt(token: string, part: 0 | 1 | 2, change: (text: string) => string): string {
  const parts = token.split('.');
  parts[part] = change(parts[part]!);
  return parts.join('.');
}

const refusals: readonly (readonly [what: string, doubt: Doubt, make: (set: Scene) => string | Promise<string>])[] = [
  ['for another client of the same provider', 'audience', (set) => idTokenOf(at, 'kim', set.nonce(), OTHER_CLIENT)],
  ['of another provider', 'issuer', (set) => idTokenOf(elsewhere, 'kim', set.nonce())],
  ['of another provider that says it is ours', 'signature', async (set) => elsewhere.sign(set.claims())],
  ['with the issuer spelt otherwise', 'issuer', (set) => at.sign(set.claims({ iss: `${at.issuer}/` }))],
  ['that has ended', 'expired', (set) => at.sign(set.claims({ exp: seconds(set) - 61 }))],
  ['without an end', 'malformed', (set) => at.sign(set.claims({ exp: undefined }))],
  ['that was made long ago', 'expired', (set) => at.sign(set.claims({ iat: seconds(set) - 3600 }))],
  ['that is to be made yet', 'notYet', (set) => at.sign(set.claims({ iat: seconds(set) + 90 }))],
  ['that does not hold yet', 'notYet', (set) => at.sign(set.claims({ nbf: seconds(set) + 90 }))],
  ['without a time', 'malformed', (set) => at.sign(set.claims({ iat: undefined }))],
  [
    'with a claim changed',
    'signature',
    async (set) => {
      const claims = { ...set.claims(), groups: ['net-admins'] };
      const other = Buffer.from(JSON.stringify(claims)).toString('base64url');
      return spoilt(await at.sign(set.claims()), 1, () => other);
    },
  ],
  ['without its signature', 'signature', async (set) => spoilt(await at.sign(set.claims()), 2, () => '')],
  ['with algorithm none', 'algorithm', (set) => new UnsecuredJWT(set.claims()).encode()],
  [
    'with algorithm none and a signature',
    'algorithm',
    async (set) => spoilt(await at.sign(set.claims()), 0, () => Buffer.from('{"alg":"none"}').toString('base64url')),
  ],
  [
    'with the public key as a shared secret',
    'algorithm',
    async (set) => new SignJWT(set.claims()).setProtectedHeader({ alg: 'HS256' }).sign(await publicPem()),
  ],
  ['of a key that the provider does not have', 'key', (set) => at.sign(set.claims(), { kid: 'another' })],
  [
    'with a header that must be understood',
    'malformed',
    async (set) => {
      const header = { alg: 'RS256', kid: 'key-1', crit: ['x'], x: 1 };
      return spoilt(await at.sign(set.claims()), 0, () => Buffer.from(JSON.stringify(header)).toString('base64url'));
    },
  ],
  ['for several, and nobody in particular', 'authorizedParty', (set) => at.sign(set.claims({ aud: [CLIENT, 'x'] }))],
  ['given to another', 'authorizedParty', (set) => at.sign(set.claims({ aud: [CLIENT, 'x'], azp: 'x' }))],
  ['for us alone, given to another', 'authorizedParty', (set) => at.sign(set.claims({ azp: 'x' }))],
  ['that is an access token', 'type', (set) => at.sign(set.claims(), { typ: 'at+jwt' })],
  ['of nobody', 'subject', (set) => at.sign(set.claims({ sub: '' }))],
  ['of a subject without end', 'subject', (set) => at.sign(set.claims({ sub: 'x'.repeat(256) }))],
  ['without a nonce', 'nonceMissing', (set) => at.sign(set.claims({ nonce: undefined }))],
  ['with a nonce of its own', 'nonceUnknown', (set) => idTokenOf(at, 'kim', `${set.nonce().slice(0, -1)}!`)],
  ['with a nonce of another controller', 'nonceUnknown', (set) => at.sign(set.claims({ nonce: 'A'.repeat(72) }))],
  [
    'with a nonce that is too old',
    'nonceExpired',
    (set) => {
      const nonce = set.nonce();
      set.clock.unixMs += NONCE_LIFE_MS + 61_000;
      return at.sign(set.claims({ nonce }));
    },
  ],
  [
    'that came before',
    'nonceUsed',
    async (set) => {
      const token = await idTokenOf(at, 'kim', set.nonce());
      await set.logIn(token);
      return token;
    },
  ],
  [
    'that is another one for the same nonce',
    'nonceUsed',
    async (set) => {
      const nonce = set.nonce();
      await set.logIn(await at.sign(set.claims({ nonce })));
      return at.sign(set.claims({ nonce, sub: 'lee' }));
    },
  ],
  ['that is none', 'malformed', () => 'vra_abcdefgh'],
  ['of three empty parts', 'malformed', () => '..'],
];

for (const [what, doubt, make] of refusals)
  test(`a token ${what} is refused`, async () => {
    const set = await open();
    const token = await make(set);
    const told: string[] = [];
    await assert.rejects(set.logIn(token), (thrown) => {
      if (thrown instanceof ProblemError) told.push(thrown.message);
      return is('login.refused')(thrown);
    });
    assert.match(told[0] ?? '', /^login.refused: the provider's answer is not one/, 'a stranger hears nothing else');
    const row = await set.lastReason();
    assert.deepEqual([row.action, row.outcome, row.reason], ['login', 'refused', doubt]);
    assert.ok(!JSON.stringify(row).includes(token.slice(0, 60)), 'the token itself is not written down');
  });

test('clocks may differ by a minute, and a token for us among others is good', async () => {
  const set = await open();
  const now = seconds(set);
  await set.logIn(await at.sign(set.claims({ exp: now - 58 })));
  await set.logIn(await at.sign(set.claims({ iat: now + 58 })));
  await set.logIn(await at.sign(set.claims({ aud: [CLIENT, 'x'], azp: CLIENT })));
  await set.logIn(await at.sign(set.claims(), { typ: 'jwt' }));
  const nonce = set.nonce();
  set.clock.unixMs += NONCE_LIFE_MS + 58_000;
  await set.logIn(await at.sign(set.claims({ nonce })));
});

test('a token that does not say which key of several it is finds the one that fits', async () => {
  const set = await open();
  await set.logIn(await at.sign(set.claims(), { kid: undefined }));
});

test('who fails too often is put off without a row in the audit each; who has a good token is not', async () => {
  const set = await open();
  for (let i = 0; i < 20; i++) await assert.rejects(set.logIn('..', 'one'), is('login.refused'));
  const { id } = await set.lastReason();
  for (let i = 0; i < 50; i++) await assert.rejects(set.logIn('..', 'one'), is('request.limited'));
  assert.equal((await set.lastReason()).id, id);
  await assert.rejects(set.logIn('..', 'another'), is('login.refused'));
  await set.logIn(await at.sign(set.claims()), 'one');
  set.clock.unixMs += 6000;
  await assert.rejects(set.logIn('..', 'one'), is('login.refused'));
});
