/**
 * How this gateway stands with its controller, in words: what is the matter, since when, what goes on, what does not, when it gets worse,
 * and what to do. For whoever stands before the machine while the controller is away. No clock, no I/O.
 */
import { type CertificateTimes, stateOfCertificate } from '@vrouter/api/agent/lifetime.ts';
import type { ControllerAddress, Outlook, PlanReply, StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { Problem } from '@vrouter/core/problem.ts';
import { spanText } from '@vrouter/core/units.ts';
import { offsetText, WARN_MS, WRONG_MS } from './clock.ts';

/** A certificate that has ended can be renewed for so long at most, ms; a controller may be stricter (`--certificate-grace`). */
const GRACE_MS = 7 * 24 * 3_600_000;
/** Clocks may differ by this much, ms. */
const SKEW_MS = 5 * 60_000;

export interface OutlookFacts {
  readonly state: StatusReply['controller']['state'];
  readonly hasJoined: boolean;
  /** It has a certificate, and its store does not know of whom. */
  readonly hasLostStore: boolean;
  readonly why: Problem | null;
  readonly addresses: readonly ControllerAddress[];
  /** When a poll was last answered, over restarts, and since when the state is what it is, by our clock. */
  readonly lastPollUnixMs: number | null;
  readonly stateSinceUnixMs: number;
  /** By the controller's clock. */
  readonly certificate: CertificateTimes | null;
  /** The controller's clock minus ours. */
  readonly clockOffsetMs: number | null;
  readonly deletedUnixMs: number | null;
  readonly onDeleted: 'keep' | 'flush';
  readonly held: PlanReply['held'];
  readonly storedVersion: number;
  /** By our clock. */
  readonly nowUnixMs: number;
}

type Words = Omit<Outlook, 'sinceUnixMs' | 'worsens'> & Partial<Pick<Outlook, 'sinceUnixMs' | 'worsens'>>;

const OWN = "packets, new handshakes of known peers, wg(8), and what this host's own file says";
const WORKS = `${OWN}; a restart begins with what is stored`;
const NO_CHANGES = 'changes made at the controller do not arrive here, and statistics do not reach it';

export function outlookOf(facts: OutlookFacts): Outlook {
  return { sinceUnixMs: null, worsens: null, ...wordsFor(facts) };
}

function wordsFor(facts: OutlookFacts): Words {
  switch (facts.state) {
    case 'none':
      if (facts.hasLostStore) return storeLost();
      return {
        condition: 'standalone',
        severity: 'good',
        summary: 'this gateway has no controller: it does what its own file and wg(8) say',
        works: 'everything',
        stopped: null,
        advice: null,
      };
    case 'joining':
      return joining(facts);
    case 'deleted':
      return deleted(facts);
    case 'refused':
      return facts.hasJoined ? refused(facts) : joining(facts);
    case 'connecting':
    case 'unreachable':
      return notHeard(facts);
    case 'connected':
      return connected(facts);
  }
}

function joining({ state, why, stateSinceUnixMs, addresses }: OutlookFacts): Words {
  const where = addresses.map(({ url }) => url).join(', ');
  const rest = {
    works: "what this host's own file and wg(8) say",
    stopped: 'it has no configuration of the controller yet',
  };
  const since = { sinceUnixMs: stateSinceUnixMs };
  if (state === 'refused')
    return {
      ...rest,
      ...since,
      condition: 'joinRefused',
      severity: 'critical',
      summary: `the join string does not work: ${text(why)}. It is not tried again`,
      advice: 'make a new join string (vrouterctl vrouter token NAME at the controller) and start vrouterd with it',
    };
  if (why === null)
    return { ...rest, condition: 'joining', severity: 'warning', summary: `it is joining ${where}`, advice: null };
  return {
    ...rest,
    ...since,
    condition: 'joinFailing',
    severity: 'warning',
    summary: `it cannot join yet: ${text(why)}. It tries again by itself`,
    advice:
      'see that the controller runs and is reached from here; a join string is good for an hour unless made for longer',
  };
}

function storeLost(): Words {
  return {
    condition: 'storeLost',
    severity: 'critical',
    summary:
      'this gateway has joined a controller once (it has a certificate), but its database is new: whom it joined and what it was told is lost',
    works:
      'packets, as long as the engine runs: what it has is left as it is; an engine that is started now has nothing',
    stopped: NO_CHANGES,
    advice:
      'put vrouterd.db back, or make a new join string (vrouterctl vrouter token NAME at the controller) and start vrouterd with --join',
  };
}

function deleted({ deletedUnixMs, onDeleted, why }: OutlookFacts): Words {
  const kept = onDeleted === 'keep';
  return {
    condition: 'deleted',
    severity: 'critical',
    sinceUnixMs: deletedUnixMs,
    summary: `the controller has deleted this gateway's virtual router${why === null ? '' : ` (${why.message})`}; it asks no more`,
    works: kept
      ? `${OWN}; also what the controller said last (onDeleted: keep)`
      : "what this host's own file and wg(8) say",
    stopped: kept ? NO_CHANGES : 'everything that the controller had said was taken away (onDeleted: flush)',
    advice: kept
      ? 'stop vrouterd and its engine (vrouterctl engine stop) if it is not wanted any more; else join another virtual router with a new join string'
      : 'nothing, or join another virtual router with a new join string',
  };
}

function refused(facts: OutlookFacts): Words {
  const { why } = facts;
  const common = { sinceUnixMs: heardUntil(facts), works: WORKS, stopped: NO_CHANGES, severity: 'critical' as const };
  const rejoin =
    'make a new join string (vrouterctl vrouter token NAME at the controller) and start vrouterd with --join';
  if (why?.code !== 'certificate.required')
    return {
      ...common,
      condition: 'notKnown',
      summary: `the controller does not want this gateway any more: it was revoked, another has taken its place, or the controller has lost it (${text(why)})`,
      advice: `if that was not meant, ${rejoin}; it asks again every five minutes`,
    };
  const ended = endedFor(facts);
  if (ended > SKEW_MS)
    return {
      ...common,
      condition: 'lockedOut',
      summary: `the certificate ended ${spanText(ended)} ago and the controller does not renew it: ${text(why)}`,
      advice: rejoin,
    };
  return {
    ...common,
    condition: 'certificateRefused',
    summary: `the controller refuses a certificate that is good for ${spanText(-ended)} yet by all that is known here: ${text(why)}`,
    ...worsening(facts),
    advice:
      "look at the controller's clock and its log; it is asked again every five minutes, and at once after vrouterctl certificate renew",
  };
}

/** Nobody has answered, or not as they should. */
function notHeard(facts: OutlookFacts): Words {
  const { why, state, nowUnixMs } = facts;
  const since = heardUntil(facts);
  const base = { sinceUnixMs: since, works: WORKS, stopped: NO_CHANGES, ...worsening(facts) };
  const ended = endedFor(facts);
  const span = spanText(Math.max(0, nowUnixMs - since));
  const version = `version ${facts.storedVersion} is the last that came`;
  if (ended > GRACE_MS + SKEW_MS)
    return {
      ...base,
      condition: 'lockedOut',
      severity: 'critical',
      summary: `the certificate ended ${spanText(ended)} ago${byWhom(facts)}, longer than it can be renewed, and no controller has answered for ${span}; ${version}`,
      advice:
        'make a new join string (vrouterctl vrouter token NAME, once the controller is back) and start vrouterd with --join',
    };
  if (ended > 0)
    return {
      ...base,
      condition: 'grace',
      severity: 'critical',
      summary: `no controller has answered for ${span}, and the certificate ended ${spanText(ended)} ago${byWhom(facts)}; ${version}`,
      advice: `bring the controller back${whence(facts)}: this gateway then renews by itself and goes on`,
    };
  if (state === 'connecting' && why === null)
    return {
      ...base,
      condition: 'starting',
      severity: 'good',
      summary: 'vrouterd has just started and asks its controller within five seconds; what was stored is on the plane',
      worsens: null,
      advice: null,
    };
  const wait = 'nothing if it is meant to be away: the gateway finds it again by itself';
  if (why?.code === 'tls.fingerprint')
    return {
      ...base,
      condition: 'untrusted',
      severity: 'critical',
      summary: `who answers there is not the controller that this gateway joined: ${text(why)}; none that is has answered for ${span}`,
      advice:
        'if the controller was set up anew, join it with a new join string; else somebody stands in between: look at the address, DNS and the network',
    };
  if (why?.code === 'poll.replay')
    return {
      ...base,
      condition: 'replayed',
      severity: 'critical',
      summary: `the controller refuses its polls as out of order: ${text(why)}`,
      advice: 'see that no second vrouterd runs anywhere with a copy of this data folder',
    };
  if (why !== null && why.code !== 'controller.unreachable')
    return {
      ...base,
      condition: 'troubled',
      severity: 'warning',
      summary: `the controller answers, but not as it should, and none has for ${span}: ${text(why)}; ${version}`,
      advice: "look at the controller's log; the gateway asks again by itself",
    };
  return {
    ...base,
    condition: 'away',
    severity: stateOf(facts) === 'good' ? 'warning' : 'critical',
    summary: `no controller has answered for ${span}: ${text(why)}; ${version}`,
    advice: `${wait}; else see that it runs and is reached from here${whence(facts)}`,
  };
}

function connected(facts: OutlookFacts): Words {
  const { clockOffsetMs, held } = facts;
  const offset = Math.abs(clockOffsetMs ?? 0);
  const fine = { works: 'everything', stopped: null };
  const certificate = stateOf(facts);
  if (certificate !== 'good')
    return {
      ...fine,
      condition: 'certificateLate',
      severity: certificate === 'late' ? 'warning' : 'critical',
      summary: 'the controller answers, but the certificate was not renewed when it should have been',
      ...worsening(facts),
      advice:
        'see why at the controller (vrouterctl ca show) and in the log here; vrouterctl certificate renew tries at once',
    };
  if (offset > WRONG_MS)
    return {
      ...fine,
      condition: 'clockWrong',
      severity: 'critical',
      summary: `this host's clock is ${offsetText(clockOffsetMs!)}; certificates are judged by the controller's`,
      stopped: 'times in logs and of handshakes are wrong, and peers refuse handshakes of a clock that was put back',
      advice: 'set the clock (NTP)',
    };
  if (held !== null)
    return {
      condition: 'held',
      severity: 'warning',
      summary: `version ${held.version} waits for a person: it would take away ${held.removes} (${held.reason})`,
      works: 'what was there before it',
      stopped: 'nothing that the controller says is taken over until then',
      advice:
        'look at it (vrouterctl show plan); if it is right: vrouterctl plan confirm, or vrouterctl vrouter confirm NAME at the controller',
    };
  if (offset > WARN_MS)
    return {
      ...fine,
      condition: 'clockOff',
      severity: 'warning',
      summary: `this host's clock is ${offsetText(clockOffsetMs!)}`,
      advice: 'set the clock (NTP)',
    };
  return { ...fine, condition: 'connected', severity: 'good', summary: 'the controller answers', advice: null };
}

/** What comes next for the certificate: its end, then the end of its grace. */
function worsening(facts: OutlookFacts): Pick<Outlook, 'worsens'> {
  const { certificate, nowUnixMs } = facts;
  if (certificate === null) return { worsens: null };
  const ended = endedFor(facts);
  const endUnixMs = nowUnixMs - ended;
  if (ended <= 0) {
    const what = 'the certificate ends; packets go on, and it can be renewed for up to seven days more';
    return { worsens: { atUnixMs: endUnixMs, what } };
  }
  if (ended > GRACE_MS) return { worsens: null };
  const what =
    'the certificate can no longer be renewed, and only a new join string helps (packets go on); a controller may allow less';
  return { worsens: { atUnixMs: endUnixMs + GRACE_MS, what } };
}

/** For how long the certificate has ended by the controller's clock, ms; negative: it is good for so long yet. */
function endedFor({ certificate, nowUnixMs, clockOffsetMs }: OutlookFacts): number {
  return certificate === null
    ? Number.NEGATIVE_INFINITY
    : nowUnixMs + (clockOffsetMs ?? 0) - certificate.notAfterUnixMs;
}

function stateOf({ certificate, nowUnixMs, clockOffsetMs }: OutlookFacts) {
  return certificate === null ? 'good' : stateOfCertificate(certificate, nowUnixMs + (clockOffsetMs ?? 0));
}

/** When a controller was last heard; before the first time, since when it is as it is. */
function heardUntil({ lastPollUnixMs, stateSinceUnixMs }: OutlookFacts): number {
  return lastPollUnixMs ?? stateSinceUnixMs;
}

/** Whose clock says that a certificate has ended; as long as only ours does, it may be ours that is wrong. */
function byWhom({ clockOffsetMs }: OutlookFacts): string {
  return clockOffsetMs === null ? " by this host's clock, which nobody has confirmed since the start" : '';
}

function whence({ addresses }: OutlookFacts): string {
  return addresses.length === 0 ? '' : ` (${addresses.map(({ url }) => url).join(', ')})`;
}

function text(why: Problem | null): string {
  return why === null ? 'it does not say why' : why.message;
}
