/** Any text as a token and as an Authorization header: what is read is what was written, and nothing throws. */
import { parseBearer, parseTokenText, secretMatches } from './token.ts';

export const name = 'controller/token';

const secret = 'q'.repeat(43);

export const seeds: readonly Uint8Array[] = [
  `vra_abcdefgh_${secret}`,
  `vrj_23456789_${secret}`,
  `Bearer vra_abcdefgh_${secret}`,
  'Basic YTpi',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  for (const prefix of ['vra', 'vrj'] as const) {
    const parts = parseTokenText(prefix, text);
    if (parts === null) continue;
    if (`${prefix}_${parts.id}_${parts.secret}` !== text) throw new Error('something was left out');
    if (secretMatches(parts.secret, null)) throw new Error('a token that nobody knows was good');
  }
  const bearer = parseBearer(text);
  if (bearer === null || bearer === 'missing') return;
  const { id, secret } = bearer;
  if (!text.endsWith(`vra_${id}_${secret}`) && !text.trimEnd().endsWith(`vra_${id}_${secret}`))
    throw new Error('it is not the token of the header');
}
