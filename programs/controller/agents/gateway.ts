/** One gateway as it is now: who it is, what its last polls told, who waits for it. In memory; the store gets the gist in batches. */
import { randomBytes } from 'node:crypto';
import type { GatewayStats, HeldChange, PeerStats, PollRequest } from '@vrouter/api/agent/agent.ts';
import type { GatewayRow, GatewaySeen } from '../store/gateways.ts';
import { PollSessions } from './sessions.ts';
import type { HeldPoll } from './waiting.ts';

/** A gateway that has not been heard for this long is lost, ms: the longest hold and some. */
export const LOST_MS = 40_000;

export interface PeerHeard {
  readonly stats: PeerStats;
  readonly heardUnixMs: number;
}

/** What of a gateway the other controllers are told; what its peers have passed is only known where it polls. */
type Told = Pick<Gateway, 'errors' | 'holding' | 'clockOffsetMs' | 'stats'>;

export class Gateway {
  readonly id: string;
  readonly vrouterId: string;
  readonly row: GatewayRow;
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
  certificateExpiresUnixMs: number | null;
  connected = false;
  revoked = false;
  /** Told by a poll and not yet in the store. */
  dirty = false;

  constructor(row: GatewayRow, certificateExpiresUnixMs: number | null) {
    this.id = row.id;
    this.vrouterId = row.vrouterId;
    this.row = row;
    this.certificateExpiresUnixMs = certificateExpiresUnixMs;
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
    if (poll.clockOffsetMs !== undefined) this.clockOffsetMs = poll.clockOffsetMs;
    this.dirty = true;
    if (poll.stats === null) return;
    const { peers, ...stats } = poll.stats;
    if (this.stats !== null && this.stats.epoch !== stats.epoch) this.peers.clear();
    this.stats = stats;
    // Only what the configuration knows: a gateway cannot make us remember more than we gave it.
    for (const peer of peers) if (knows(peer)) this.peers.set(peer.publicKey, { stats: peer, heardUnixMs: nowUnixMs });
  }

  /** Takes in what another controller has heard later than we. */
  heardElsewhere(row: Pick<GatewayRow, Exclude<keyof GatewaySeen, 'id'>>): void {
    const { lastPollUnixMs, storedVersion, appliedVersion, plane, softwareVersion } = row;
    if (this.dirty || (lastPollUnixMs ?? 0) <= (this.row.lastPollUnixMs ?? 0)) return;
    Object.assign(this.row, { lastPollUnixMs, storedVersion, appliedVersion, plane, softwareVersion });
    this.connected = true;
    if (row.told === null) return;
    const { errors, holding, clockOffsetMs, stats } = JSON.parse(row.told) as Told;
    Object.assign(this, { errors, holding, clockOffsetMs, stats });
  }

  /** `forOthers`: there are controllers that it does not poll at. */
  seen(forOthers: boolean): GatewaySeen {
    const { errors, holding, clockOffsetMs, stats } = this;
    const told: Told = { errors, holding, clockOffsetMs, stats };
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

  /** Nothing of it is answered any more. */
  revoke(): void {
    this.revoked = true;
    this.connected = false;
    for (const held of [...this.held]) held.end('revoked');
  }
}
