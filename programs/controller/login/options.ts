/** The options of the command line that say how people log in. */
import { type Role, roles } from '@vrouter/api/rest/identity.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Command } from 'commander';
import { readSecret } from '../ca/step/provisioner.ts';
import type { LoginRules } from './login.ts';
import { isLoopbackUrl, type ProviderOptions } from './provider.ts';

export interface LoginOptions {
  readonly provider: ProviderOptions;
  readonly rules: LoginRules;
}

/** As commander hands them over. */
export interface LoginGiven {
  readonly oidcIssuer?: string;
  readonly oidcClientId?: string;
  readonly oidcClientSecretFile?: string;
  readonly oidcScope?: readonly string[];
  readonly oidcRolesClaim?: string;
  readonly oidcRole: readonly string[];
  readonly oidcNameClaim?: string;
  readonly oidcSession?: string;
}

const SCOPES = ['openid', 'profile', 'email'];
const SESSION_HOURS = 12;
const SESSION_HOURS_MAX = 24;

const append = (text: string, before: readonly string[] | undefined): string[] => [...(before ?? []), text];

export function addLoginOptions(command: Command): Command {
  return command
    .option('--oidc-issuer <url>', 'people log in at this OpenID Connect provider; docs/people.md')
    .option('--oidc-client-id <id>', 'the client that the controller is to the provider; ID tokens are for it')
    .option('--oidc-client-secret-file <file>', 'its secret, mode 0600, if the provider insists on one')
    .option('--oidc-role <role=value>', 'role of who has that value in the roles claim; may be repeated', append, [])
    .option(
      '--oidc-roles-claim <name>',
      'claim of the ID token that lists groups, also a path: realm_access.roles; default groups',
    )
    .option(
      '--oidc-name-claim <name>',
      'claim with the name of a person; default preferred_username, else email, else sub',
    )
    .option('--oidc-scope <name>', `scope to ask for; may be repeated; default ${SCOPES.join(', ')}`, append)
    .option(
      '--oidc-session <hours>',
      `how long who has logged in stays so, 1 to ${SESSION_HOURS_MAX}; default ${SESSION_HOURS}`,
    );
}

/** Null when people do not log in. Throws `usage`, and `config.invalid` for the file of the secret. */
export function readLoginOptions(given: LoginGiven): LoginOptions | null {
  const { oidcIssuer: issuer, oidcClientId: clientId, oidcClientSecretFile: secretFile } = given;
  if (issuer === undefined) {
    const { oidcScope, oidcRolesClaim, oidcNameClaim, oidcSession } = given;
    const more = [clientId, secretFile, oidcScope, oidcRolesClaim, oidcNameClaim, oidcSession, given.oidcRole[0]];
    if (more.some((value) => value !== undefined))
      throw wrong('--oidc-... say more of --oidc-issuer, which is not given', '--oidc-issuer');
    return null;
  }
  checkIssuer(issuer);
  if (clientId === undefined || !/^[\x21-\x7e]{1,255}$/.test(clientId))
    throw wrong('--oidc-client-id is needed with --oidc-issuer: 1 to 255 visible ASCII characters', '--oidc-client-id');
  const clientSecret = secretFile === undefined ? null : readSecret(secretFile, '--oidc-client-secret-file');
  if (clientSecret === '')
    throw new ProblemError(problem('config.invalid', `${secretFile} is empty`, '--oidc-client-secret-file'));
  const rules = {
    scopes: readScopes(given.oidcScope ?? SCOPES),
    rolesClaim: readClaim(given.oidcRolesClaim ?? 'groups', '--oidc-roles-claim'),
    roles: readRoles(given.oidcRole),
    nameClaim: given.oidcNameClaim === undefined ? null : readClaim(given.oidcNameClaim, '--oidc-name-claim'),
    sessionMs: readHours(given.oidcSession ?? String(SESSION_HOURS)) * 3_600_000,
  };
  return { provider: { issuer, clientId, clientSecret }, rules };
}

function checkIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  // OpenID Connect Discovery 1.0, section 3
  const bare = url !== null && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!bare || issuer.length > 1024 || !['https:', 'http:'].includes(url.protocol))
    throw wrong('--oidc-issuer looks like https://login.example.org/realms/people', '--oidc-issuer');
  if (url.protocol === 'http:' && !isLoopbackUrl(issuer))
    throw wrong('the provider is asked over https:// alone; http:// is for one on the loopback', '--oidc-issuer');
  if (url.pathname.includes('/.well-known/'))
    throw wrong('--oidc-issuer is the issuer itself, without /.well-known/openid-configuration', '--oidc-issuer');
}

function readRoles(texts: readonly string[]): Map<string, Role> {
  const found = new Map<string, Role>();
  for (const text of texts) {
    const [name, ...rest] = text.split('=');
    const role = roles.find((one) => one === name);
    const value = rest.join('=');
    if (role === undefined || value === '')
      throw wrong(`--oidc-role looks like admin=network-admins; roles are ${roles.join(', ')}`, '--oidc-role');
    if (found.has(value) && found.get(value) !== role)
      throw wrong(`--oidc-role gives "${value}" two roles, ${found.get(value)} and ${role}`, '--oidc-role');
    found.set(value, role);
  }
  if (found.size === 0)
    throw wrong('without an --oidc-role nobody could log in: --oidc-role viewer=GROUP', '--oidc-role');
  return found;
}

function readScopes(texts: readonly string[]): string[] {
  // RFC 6749, section 3.3
  if (texts.some((text) => !/^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/.test(text)))
    throw wrong('--oidc-scope is one scope, without spaces; repeat it for more', '--oidc-scope');
  return [...new Set(['openid', ...texts])];
}

function readClaim(text: string, option: string): string {
  if (text === '' || text.length > 255) throw wrong(`${option} is the name of a claim`, option);
  return text;
}

function readHours(text: string): number {
  const hours = Number(text);
  if (!/^\d{1,2}$/.test(text) || hours < 1 || hours > SESSION_HOURS_MAX)
    throw wrong(`--oidc-session is a whole number of hours from 1 to ${SESSION_HOURS_MAX}`, '--oidc-session');
  return hours;
}

function wrong(hint: string, option: string): ProblemError {
  return new ProblemError(problem('usage', hint, option));
}
