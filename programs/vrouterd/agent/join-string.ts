/**
 * `https://host:8443/#token~root-fingerprint`: all that a gateway needs to find its controller and to know it for the right one. Where
 * there are several, `https://host:8443/?also=other:8443,third:8443#...` names the others; who knows no `also` takes the first.
 */
import { createHash } from 'node:crypto';
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { controllerUrl } from './addresses.ts';

export interface JoinString {
  /** Scheme, host and port, no path; at least one, each once. */
  readonly controllerUrls: readonly string[];
  readonly token: string;
  /** SHA-256 of the root certificate's DER, lower-case hex. */
  readonly rootFingerprint: string;
}

/** Most controllers that a join string names. */
const CONTROLLERS_MAX = 16;

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
  const also = (url.searchParams.get('also') ?? '').split(',').filter((part) => part !== '');
  const urls = [url.origin, ...also.map((host) => controllerUrl(`https://${host}`))];
  if (urls.some((one) => one === null)) return wrong('what follows ?also= must be host:port,host:port');
  if (urls.length > CONTROLLERS_MAX) return wrong(`there are more than ${CONTROLLERS_MAX} controllers in it`);
  const controllerUrls = [...new Set(urls as string[])];
  return ok({ controllerUrls, token: match[1]!, rootFingerprint: match[2]! });
}
