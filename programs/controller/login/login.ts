/**
 * People who log in at an OpenID Connect provider. Whoever shows an ID token that the provider made for this controller, for a nonce that
 * this controller gave out, gets a session: an API token that ends. README.md says what is checked and why.
 */
import { randomUUID } from 'node:crypto';
import type { Role } from '@vrouter/api/rest/identity.ts';
import type { DeviceReply, LoginOffer, LoginReply, LoginRequest } from '@vrouter/api/rest/login.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Limiter } from '../agents/limiter.ts';
import type { Actor } from '../desk/actor.ts';
import { note } from '../desk/desk.ts';
import { describeToken, putToken } from '../identity/api-tokens.ts';
import { ADMIN } from '../identity/first-admin.ts';
import type { Caller, Identity } from '../identity/identity.ts';
import { actorName } from '../identity/origin.ts';
import { newTokenText } from '../identity/token.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { findApiToken, revokeApiToken, revokeTokensOf } from '../store/api-tokens.ts';
import { recordAudit } from '../store/audit.ts';
import type { Tx } from '../store/schema.ts';
import { useNonce } from '../store/used-nonces.ts';
import { findPerson, findUser, insertUser, type UserRow, updateUser } from '../store/users.ts';
import { type ClaimRules, groupsOf, nameOf, roleOfGroups } from './claims.ts';
import { Devices } from './device.ts';
import { DoubtError, readClaims, SKEW_MS, verifySignature } from './id-token.ts';
import { judgeNonce, NONCE_LIFE_MS, newNonce } from './nonce.ts';
import type { Provider } from './provider.ts';

/** Where a login comes from. */
export interface LoginSource {
  /** Address that it came from. */
  readonly address: string;
  /** Whose failures count together: the address, or the network that its owner may choose from. */
  readonly source: string;
  /** To keep the answer, of a request under a key. */
  readonly keep?: Actor['keep'];
}

export interface LoginRules extends ClaimRules {
  /** What to ask the provider for. */
  readonly scopes: readonly string[];
  /** How long a session is good, ms. */
  readonly sessionMs: number;
}

/** Whom the provider says it is, verified. */
interface Person {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly role: Role | null;
  /** What makes this login the only one of its kind, and until when it could be tried again. */
  readonly once: { readonly hash: string; readonly expiresUnixMs: number };
}

export class Login {
  readonly #identity: Identity;
  readonly #provider: Provider;
  readonly #rules: LoginRules;
  readonly #nonceKey: Uint8Array;
  readonly #devices: Devices;
  readonly #metrics: Pick<Metrics, 'logins'>;
  /** As of API tokens: failures alone count, and a good one passes, or a stranger on the same address could lock people out. */
  readonly #bySource: Limiter;

  constructor(
    identity: Identity,
    provider: Provider,
    rules: LoginRules,
    nonceKey: Uint8Array,
    metrics: Pick<Metrics, 'logins'>,
  ) {
    this.#identity = identity;
    this.#provider = provider;
    this.#rules = rules;
    this.#nonceKey = nonceKey;
    this.#metrics = metrics;
    this.#devices = new Devices(provider, nonceKey, identity.unixMs);
    this.#bySource = new Limiter(20, 6000, identity.unixMs);
  }

  /** How to log in, with a nonce for it. Writes nothing, and does not ask the provider. */
  offer(): LoginOffer {
    const { issuer, clientId, clientSecret } = this.#provider.options;
    const exchange = clientSecret === null ? 'client' : 'controller';
    const { nonce, nonceExpiresUnixMs } = newNonce(this.#nonceKey, this.#identity.unixMs());
    return { oidc: { issuer, clientId, scopes: [...this.#rules.scopes], exchange, nonce, nonceExpiresUnixMs } };
  }

  /**
   * Begins a login on a machine without a browser: the controller asks the provider itself, so each counts as a failure does. Throws `login.notOffered`, `login.unavailable`, `request.limited`.
   */
  async beginDevice({ source }: LoginSource): Promise<DeviceReply> {
    this.#notTooOften(source);
    this.#bySource.take(source);
    return this.#devices.begin(this.#rules.scopes);
  }

  /**
   * A session for who it is. Throws `login.refused` (whatever is wrong with the token; the audit knows), `login.pending`, `login.noRole`, `login.disabled`,
   * `login.nameTaken`, `login.unavailable`, `request.limited`.
   */
  async logIn(request: LoginRequest, from: LoginSource): Promise<LoginReply> {
    let person: Person | null = null;
    try {
      person = await this.#verify(request, from);
      const { role } = person;
      if (role === null) return await this.#turnAway(person, from);
      const reply = await this.#admit({ ...person, role }, from);
      this.#identity.changed();
      this.#metrics.logins.inc({ result: 'done' });
      return reply;
    } catch (thrown) {
      if (thrown instanceof DoubtError) return this.#refuse(from, person, thrown.doubt, null);
      if (!(thrown instanceof ProblemError)) throw thrown;
      const { code, message } = thrown.problem;
      if (code === 'login.unavailable') this.#metrics.logins.inc({ result: 'unavailable' });
      if (code !== 'login.noRole' && code !== 'login.disabled' && code !== 'login.nameTaken') throw thrown;
      return this.#refuse(from, person, `${code.slice('login.'.length)}: ${message}`, thrown);
    }
  }

  /** Ends the session that the caller shows. Throws `login.noSession` when it is a token that was made by hand. */
  async logOut(caller: Caller): Promise<void> {
    const { id, userIssuer, userName } = caller.token;
    if (userIssuer === null) {
      const hint = `the API token ${id} of ${userName} is no session of a login; an administrator revokes it: vrouterctl api-token revoke ${id}`;
      throw new ProblemError(problem('login.noSession', hint));
    }
    await this.#identity.db.transaction().execute(async (tx) => {
      await note(tx, this.#identity, caller.actor, 'logout', `${userName} ${id}`);
      await revokeApiToken(tx, id, this.#identity.unixMs());
    });
    this.#identity.changed();
  }

  async #verify(request: LoginRequest, { source }: LoginSource): Promise<Person> {
    const { clientId, clientSecret } = this.#provider.options;
    const now = this.#identity.unixMs();
    let token: string;
    // The provider is asked for each of these, so who has failed too often does not get as far.
    if (!('idToken' in request)) this.#notTooOften(source);
    let once: Person['once'] | null = null;
    if ('idToken' in request) token = request.idToken;
    else if ('device' in request) ({ idToken: token, once } = await this.#devices.ask(request.device));
    else {
      if (clientSecret === null) throw new DoubtError('code');
      token = await this.#provider.exchange(request.code, request.codeVerifier, request.redirectUri);
    }
    const claimed = readClaims(token, clientId);
    if (!this.#provider.goesBy(claimed.issuer)) throw new DoubtError('issuer');
    // A device's token we have fetched ourselves, with a code that nobody else knows: that is as good as a nonce.
    once ??= this.#nonceOf(claimed.nonce, now);
    const { issuer, keys } = await this.#provider.look();
    const ageMs = NONCE_LIFE_MS + SKEW_MS;
    await verifySignature(token, keys, { issuer, clientId, ageMs, nowUnixMs: this.#identity.unixMs() });
    const { subject, claims } = claimed;
    const groups = groupsOf(claims, this.#rules.rolesClaim);
    const role = roleOfGroups(groups, this.#rules.roles);
    return { issuer, subject, name: nameOf(claims, this.#rules.nameClaim, issuer, subject), groups, role, once };
  }

  #nonceOf(text: string, nowUnixMs: number): Person['once'] {
    if (text === '') throw new DoubtError('nonceMissing');
    const nonce = judgeNonce(this.#nonceKey, text, nowUnixMs, SKEW_MS);
    if (!nonce.good) throw new DoubtError(nonce.why);
    return nonce;
  }

  #notTooOften(source: string): void {
    const waitMs = this.#bySource.waitMs(source);
    if (waitMs > 0) throw limited(waitMs);
  }

  async #admit(person: Person & { readonly role: Role }, { address, keep }: LoginSource): Promise<LoginReply> {
    const identity = this.#identity;
    const { issuer, subject, role } = person;
    const { id, text, secretHash } = newTokenText('vra');
    return identity.db.transaction().execute(async (tx) => {
      // First what is known, since the audit calls the person as we do; then the audit, which keeps other writers out.
      const before = await findPerson(tx, issuer, subject);
      const name = before?.name ?? person.name;
      const actor = { name: actorName(name, issuer), tokenId: id, source: address };
      await note(tx, identity, actor, 'login', `${role} ${issuer} ${subject}`.slice(0, 500));
      if (!(await useNonce(tx, person.once.hash, person.once.expiresUnixMs))) throw new DoubtError('nonceUsed');
      const userId = await this.#settle(tx, person, name);
      await putToken(tx, identity, { id, userId, name: 'login', role, secretHash }, this.#rules.sessionMs / 1000);
      const apiToken = describeToken((await findApiToken(tx, id))!);
      const reply = { user: apiToken.user, role, apiToken, token: text };
      await keep?.(tx, reply);
      return reply;
    });
  }

  /** The user that the person is, made or brought up to date; its id. */
  async #settle(tx: Tx, person: Person & { readonly role: Role }, name: string): Promise<string> {
    const { issuer, subject, role } = person;
    const known = await findPerson(tx, issuer, subject);
    if (known !== undefined) {
      if (known.disabledUnixMs !== null) throw disabled(known);
      if (known.role !== role) await updateUser(tx, known.id, { role });
      return known.id;
    }
    const other = await findUser(tx, name);
    // That name is kept for whoever has the machine (--reset-admin), also while nobody has it.
    if (other !== undefined || name === ADMIN) throw nameTaken(name, other?.issuer ?? null);
    const id = randomUUID();
    const createdUnixMs = this.#identity.unixMs();
    await insertUser(tx, { id, name, role, createdUnixMs, disabledUnixMs: null, issuer, subject });
    return id;
  }

  /** Whose groups give no role any more: the sessions of before end too. */
  async #turnAway({ issuer, subject, groups, once }: Person, { address: source }: LoginSource): Promise<never> {
    const identity = this.#identity;
    const known = await findPerson(identity.db, issuer, subject);
    if (known !== undefined) {
      await identity.db.transaction().execute(async (tx) => {
        const actor = { name: actorName(known.name, issuer), tokenId: null, source };
        await note(tx, identity, actor, 'login.end', `${known.name} has no role any more`);
        // Or who keeps this token could end the sessions of a person who was given a role since.
        if (!(await useNonce(tx, once.hash, once.expiresUnixMs))) throw new DoubtError('nonceUsed');
        await revokeTokensOf(tx, known.id, identity.unixMs());
      });
      identity.changed();
    }
    const said = groups.length === 0 ? 'no groups' : `these groups: ${groups.join(', ')}`;
    const claim = this.#rules.rolesClaim;
    const hint = `the provider says who you are, but none of your groups (claim ${claim}) gives a role here; it says ${said.slice(0, 200)}`;
    throw new ProblemError(problem('login.noRole', hint));
  }

  async #refuse(from: LoginSource, person: Person | null, reason: string, shown: ProblemError | null): Promise<never> {
    const waitMs = this.#bySource.waitMs(from.source);
    this.#metrics.logins.inc({ result: waitMs > 0 ? 'limited' : reason.split(':')[0]! });
    if (waitMs > 0) throw limited(waitMs);
    this.#bySource.take(from.source);
    await recordAudit(this.#identity.db, {
      atUnixMs: this.#identity.unixMs(),
      actor: person === null ? 'rest' : actorName(person.name, person.issuer),
      tokenId: null,
      source: from.address,
      action: 'login',
      subject: person === null ? null : `${person.issuer} ${person.subject}`.slice(0, 500),
      outcome: 'refused',
      reason: reason.slice(0, 500),
    });
    if (shown !== null) throw shown;
    const hint = "the provider's answer is not one for this controller, or not a fresh one; log in once more";
    throw new ProblemError(problem('login.refused', hint));
  }
}

function limited(waitMs: number): ProblemError {
  const hint = `too many logins that failed; try again in ${Math.ceil(waitMs / 1000)} s`;
  return new ProblemError(problem('request.limited', hint));
}

function disabled({ name }: UserRow): ProblemError {
  const hint = `${name} was disabled here; an administrator lets it in again: vrouterctl user change ${name} --enable`;
  return new ProblemError(problem('login.disabled', hint));
}

/** `issuer`: where the other one comes from, null of a local user. */
function nameTaken(name: string, issuer: string | null): ProblemError {
  const whose = issuer === null ? 'a local user' : `another person, of ${issuer}`;
  const hint = `you would be called ${name}, and so is ${whose}; nobody takes over a user by a name: an administrator may remove that one, or choose another claim (--oidc-name-claim)`;
  return new ProblemError(problem('login.nameTaken', hint));
}
