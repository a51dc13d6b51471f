/** One gateway as it is now: who it is, what its last polls told, who waits for it. In memory; the store gets the gist in batches. */
import { randomBytes } from 'node:crypto';
import type { Capabilities, GatewayStats, HeldChange, PeerStats, PollRequest } from '@vrouter/api/agent/agent.ts';
import { type CertificateState, type CertificateTimes, stateOfCertificate } from '@vrouter/api/agent/lifetime.ts';
import type { GatewayRow, GatewaySeen } from '../store/gateways.ts';
import { MADE_HERE } from './made-keys.ts';
import { PollSessions } from './sessions.ts';
import type { HeldPoll } from './waiting.ts';

/** A gateway that has not been heard for this long is lost, ms: the longest hold and some. */
export const LOST_MS = 40_000;

export interface PeerHeard {
  readonly stats: PeerStats;
  readonly heardUnixMs: number;
}

/** What of a gateway the other controllers are told; what its peers have passed is only known where it polls. */
type Told = Pick<Gateway, 'errors' | 'holding' | 'clockOffsetMs' | 'stats' | 'features' | 'capabilities'>;

export class Gateway {
  readonly id: string;
  readonly vrouterId: string;
  readonly row: GatewayRow;
  /** An ended certificate can still be renewed for so long, ms. */
  readonly graceMs: number;
  readonly sessions: PollSessions<HeldPoll>;
  readonly held = new Set<HeldPoll>();
  /** Latest statistics by public key. */
  readonly peers = new Map<string, PeerHeard>();
  stats: Omit<GatewayStats, 'peers'> | null = null;
  errors: PollRequest['errors'] = [];
  /** What the gateway holds back until somebody confirms it. */
  holding: HeldChange | null = null;
  /** It has a state that the store has lost (lost-state.ts). */
  lost = false;
  clockOffsetMs: number | null = null;
  /** What it can beyond what every one could; null: it has not been heard yet. */
  features: readonly string[] | null = null;
  /** As it was told last; gateways tell it when it is new. */
  capabilities: Capabilities | null = null;
  /** The latest that it was given. */
  certificate: CertificateTimes | null;
  /** What was told of it last, so that it is told once. */
  toldState: CertificateState = 'good';
  connected = false;
  revoked = false;
  /** Told by a poll and not yet in the store. */
  dirty = false;

  constructor(row: GatewayRow, certificate: CertificateTimes | null, graceMs: number) {
    this.id = row.id;
    this.vrouterId = row.vrouterId;
    this.row = row;
    this.certificate = certificate;
    this.graceMs = graceMs;
    this.sessions = new PollSessions(() => randomBytes(16).toString('hex'));
  }

  /** Takes in what a poll tells. `knows` says whether a peer's key is one of the configuration. */
  heard(poll: PollRequest, nowUnixMs: number, knows: (stats: PeerStats) => boolean): void {
    this.row.lastPollUnixMs = nowUnixMs;
    this.row.storedVersion = poll.storedVersion;
    this.row.appliedVersion = poll.appliedVersion;
    this.row.plane = poll.plane;
    this.row.softwareVersion = poll.version;
    this.errors = poll.errors;
    this.holding = poll.held ?? null;
    this.features = poll.features ?? [];
    if (poll.clockOffsetMs !== undefined) this.clockOffsetMs = poll.clockOffsetMs;
    if (poll.capabilities !== undefined) this.capabilities = poll.capabilities;
    this.dirty = true;
    if (poll.stats === null) return;
    const { peers, ...stats } = poll.stats;
    if (this.stats !== null && this.stats.epoch !== stats.epoch) this.peers.clear();
    this.stats = stats;
    // Only what the configuration knows: a gateway cannot make us remember more than we gave it.
    for (const peer of peers) if (knows(peer)) this.peers.set(peer.publicKey, { stats: peer, heardUnixMs: nowUnixMs });
  }

  /** Takes in what another controller has heard later than we. */
  heardElsewhere(row: Pick<GatewayRow, Exclude<keyof GatewaySeen, 'id'> | 'csrFingerprint'>): void {
    this.row.csrFingerprint = row.csrFingerprint;
    const { lastPollUnixMs, storedVersion, appliedVersion, plane, softwareVersion } = row;
    if (this.dirty || (lastPollUnixMs ?? 0) <= (this.row.lastPollUnixMs ?? 0)) return;
    Object.assign(this.row, { lastPollUnixMs, storedVersion, appliedVersion, plane, softwareVersion });
    this.connected = true;
    if (row.told === null) return;
    const told = JSON.parse(row.told) as Told;
    const { errors, holding, clockOffsetMs, stats, features = [], capabilities = null } = told;
    Object.assign(this, { errors, holding, clockOffsetMs, stats, features, capabilities });
  }

  /** `forOthers`: there are controllers that it does not poll at. */
  seen(forOthers: boolean): GatewaySeen {
    const { errors, holding, clockOffsetMs, stats, features, capabilities } = this;
    const told: Told = { errors, holding, clockOffsetMs, stats, features, capabilities };
    return {
      id: this.id,
      lastPollUnixMs: this.row.lastPollUnixMs ?? 0,
      storedVersion: this.row.storedVersion ?? 0,
      appliedVersion: this.row.appliedVersion ?? 0,
      plane: this.row.plane ?? '',
      softwareVersion: this.row.softwareVersion,
      told: forOthers ? JSON.stringify(told) : null,
    };
  }

  /** Until when it can renew its certificate, ended or not; then it must join anew. Unix ms. */
  get lockoutUnixMs(): number | null {
    return this.certificate === null ? null : this.certificate.notAfterUnixMs + this.graceMs;
  }

  /** Its key was made by a controller, and it has not renewed since. */
  get hasMadeKey(): boolean {
    return this.row.csrFingerprint === MADE_HERE;
  }

  /** Its certificate's state when that is worse than what was told of it; null when there is nothing new to tell. */
  worseCertificate(nowUnixMs: number): CertificateState | null {
    if (this.certificate === null) return null;
    const state = stateOfCertificate(this.certificate, nowUnixMs);
    const isNew = state !== this.toldState && state !== 'good';
    this.toldState = state;
    return isNew ? state : null;
  }

  /** Nothing of it is answered any more. */
  revoke(): void {
    this.revoked = true;
    this.connected = false;
    for (const held of [...this.held]) held.end('revoked');
  }
}
