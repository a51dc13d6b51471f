/** Join tokens, `vrj_<8-character id>_<43-character secret>`, and the join string that carries one to a gateway. */
import { type NewToken, newTokenText, parseTokenText, type TokenParts } from '../identity/token.ts';

export function newToken(): NewToken {
  return newTokenText('vrj');
}

/** Null when this is no token at all. */
export function parseToken(text: string): TokenParts | null {
  return parseTokenText('vrj', text);
}

/** All that a gateway needs: where the controller is, the token, and how to know the controller for the right one. */
export function joinString(agentsUrl: string, token: string, rootFingerprint: string): string {
  return `${agentsUrl}/#${token}~${rootFingerprint}`;
}
