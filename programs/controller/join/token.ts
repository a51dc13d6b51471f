/** Join tokens, `vrj_<8-character id>_<43-character secret>`, and the join string that carries one to a gateway. */
import { type NewToken, newTokenText, parseTokenText, type TokenParts } from '../identity/token.ts';

export function newToken(): NewToken {
  return newTokenText('vrj');
}

/** Null when this is no token at all. */
export function parseToken(text: string): TokenParts | null {
  return parseTokenText('vrj', text);
}

/** Most controllers that a join string names: it is copied by hand, and a gateway learns of the others. */
const CONTROLLERS_MAX = 6;

/** All that a gateway needs: where the controllers are, the token, and how to know them for the right ones. */
export function joinString(agentsUrls: readonly string[], token: string, rootFingerprint: string): string {
  const [first, ...others] = agentsUrls.slice(0, CONTROLLERS_MAX);
  const also = others.map((url) => url.slice('https://'.length)).join(',');
  return `${first}/${also === '' ? '' : `?also=${also}`}#${token}~${rootFingerprint}`;
}
