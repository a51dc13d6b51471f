/** `https://host:8443/#token~root-fingerprint`: all that a gateway needs to find its controller and to know it for the right one. */
import { createHash } from 'node:crypto';
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';

export interface JoinString {
  /** Scheme, host and port, no path. */
  readonly controllerUrl: string;
  readonly token: string;
  /** SHA-256 of the root certificate's DER, lower-case hex. */
  readonly rootFingerprint: string;
}

/** What is kept of a token that was used: enough to know it again. */
export function tokenHash(joining: JoinString): string {
  return createHash('sha256').update(joining.token).digest('hex');
}

/** Error: `join.malformed`. The message never repeats the token. */
export function parseJoinString(text: string): Result<JoinString> {
  const wrong = (why: string): Result<JoinString> =>
    err(
      problem(
        'join.malformed',
        `${why}; a join string looks like https://host:8443/#token~fingerprint, copy it whole`,
        'join',
      ),
    );
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return wrong('this is not a URL');
  }
  if (url.protocol !== 'https:') return wrong('the URL must be https');
  const match = /^#(vrj_[A-Za-z0-9_-]{1,200})~([0-9a-f]{64})$/.exec(url.hash);
  if (match === null) return wrong('the part behind # must be token~fingerprint');
  return ok({ controllerUrl: url.origin, token: match[1]!, rootFingerprint: match[2]! });
}
