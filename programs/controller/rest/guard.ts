/**
 * A browser that reaches REST could lend that to any web page: by DNS rebinding (the Host header gives it away) or by plain cross-site
 * requests (Origin and Sec-Fetch-Site do). A page has no token, but it should not get as far as being asked for one.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Problem, problem } from '@vrouter/core/problem.ts';

export interface RequestHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

export function isLoopback(address: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(address) || address === '::1' || address === 'localhost';
}

/** What REST shows when it speaks TLS. */
export interface ShownCertificate {
  /** Whether it is for that name or address: a page can rebind its own name to us, but our certificate is not for that one. */
  isFor(host: string): boolean;
}

/** Null when the request may pass; `bound` is the address that REST listens on, `tls` null when it does not encrypt. */
export function judgeRequest(
  headers: RequestHeaders,
  bound: string,
  tls: ShownCertificate | null = null,
): Problem | null {
  const host = headers.host === undefined ? null : hostOf(`http://${headers.host}`);
  if (host === null || !(isOurs(host, bound) || tls?.isFor(host) === true))
    return problem('request.forbidden', 'the Host header names another machine; use the address that REST listens on');
  const { origin } = headers;
  const crossSite = problem('request.forbidden', 'requests from pages of other sites are refused');
  if (
    origin !== undefined &&
    origin.toLowerCase() !== `${tls === null ? 'http' : 'https'}://${headers.host!.toLowerCase()}`
  )
    return crossSite;
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none' ? null : crossSite;
}

function isOurs(host: string, bound: string): boolean {
  if (isLoopback(host) || host === bound) return true;
  // Bound to every address: a page cannot rebind a name that is an address, nor this machine's own.
  const everywhere = bound === '0.0.0.0' || bound === '::';
  return everywhere && (isIP(host) !== 0 || host === hostname().toLowerCase());
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).hostname.replace(/^\[|\]$/g, '').toLowerCase();
  } catch {
    return null;
  }
}
