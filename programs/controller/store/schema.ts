/** The tables. Times are Unix ms; booleans are 0 and 1; lists and objects are JSON text. */
import type { Role } from '@vrouter/api/rest/identity.ts';
import type { RotationWhat } from '@vrouter/api/rest/rotations.ts';
import type { Kysely, Transaction } from 'kysely';
import type { EntryState } from '../rotation/machine.ts';

export interface Tables {
  /** Facts about this controller by name: its id, the root's fingerprint, the schema's version, the head of the audit. */
  settings: { name: string; value: string };
  vrouters: {
    id: string;
    name: string;
    listenPort: number;
    endpoint: string;
    mtu: number;
    createdUnixMs: number;
    /** The configuration's version and the hash of all its intents. */
    version: number;
    stateHash: string;
    /** The version whose shrink a person has confirmed; 0 is none. */
    confirmedVersion: number;
    /** Gateways may have later states than this that the store has lost: it is older than it was (restored). 0 is never. */
    restoredVersion: number;
  };
  networks: {
    vrouterId: string;
    ordinal: number;
    prefix: string;
    /** The gateway's own, with prefix length. */
    gatewayAddress: string;
    /** Every host number below it is taken, so a search begins here. */
    lowestFree: number;
  };
  /** Which prefix is whose: addresses, allowed IPs, the networks themselves. `owner` '' is the gateway, else a peer's name. */
  claims: { vrouterId: string; prefix: string; owner: string };
  peers: {
    vrouterId: string;
    name: string;
    publicKey: string;
    addresses: string;
    createdUnixMs: number;
  };
  tokens: {
    id: string;
    vrouterId: string;
    /** SHA-256 of the secret, hex. */
    secretHash: string;
    createdUnixMs: number;
    expiresUnixMs: number;
    usesLeft: number;
    /** Name of the user that made it; '' for those of before it was kept. */
    creator: string;
    /** What `usesLeft` began with. */
    uses: number;
    /** Prefix that the gateway must come from; null: from anywhere. */
    sourcePrefix: string | null;
    revokedUnixMs: number | null;
  };
  gateways: {
    id: string;
    vrouterId: string;
    wireguardPublicKey: string;
    hostname: string;
    softwareVersion: string;
    plane: string | null;
    registeredUnixMs: number;
    revokedUnixMs: number | null;
    lastPollUnixMs: number | null;
    storedVersion: number | null;
    appliedVersion: number | null;
    /** How it is besides, JSON, for the other controllers on the store; null where there are none. */
    told: string | null;
    /** The join that made it, and what it was answered: a retry after a lost reply gets the same. */
    tokenId: string;
    csrFingerprint: string;
    joinReply: string;
  };
  certificates: {
    serial: string;
    gatewayId: string;
    notBeforeUnixMs: number;
    notAfterUnixMs: number;
  };
  intents: { vrouterId: string; key: string; body: string };
  /**
   * One row per touched key of a version; `body` is null for a removal, `before` for what is new. `hash` is the state's after the whole
   * version. `action` is null where neither `before` nor who asked for it was kept yet.
   */
  changes: {
    vrouterId: string;
    version: number;
    ordinal: number;
    op: 'put' | 'remove';
    key: string;
    body: string | null;
    hash: string;
    atUnixMs: number;
    before: string | null;
    actor: string | null;
    tokenId: string | null;
    action: string | null;
  };
  /**
   * What passed in steps of time, by series: '' is the whole gateway, else a peer's public key. `atUnixMs` is where the step begins. Steps
   * without traffic have no row.
   */
  samples: {
    vrouterId: string;
    series: string;
    stepMs: number;
    atUnixMs: number;
    rxBytes: number;
    txBytes: number;
    rxPackets: number;
    txPackets: number;
    drops: number;
  };
  /** The absolute values up to which `samples` has counted. */
  meters: {
    vrouterId: string;
    series: string;
    epoch: string;
    atUnixMs: number;
    rxBytes: number;
    txBytes: number;
    rxPackets: number;
    txPackets: number;
    drops: number;
  };
  /** What was answered to a request under an `Idempotency-Key`, for a day. */
  answers: {
    /** SHA-256 of caller, path and key, hex: the key itself is not kept. */
    scope: string;
    /** SHA-256 of what was asked, hex. */
    request: string;
    status: number;
    /** Sealed with a key that only the caller's `Idempotency-Key` gives: there are secrets in answers. */
    body: string;
    atUnixMs: number;
  };
  rotations: {
    /** Sorts as they were begun. */
    id: string;
    vrouterId: string;
    what: RotationWhat;
    pace: number | null;
    /** How long each peer has from its offer on. */
    deadlineMs: number;
    atDeadline: 'keep' | 'cutOver';
    startedBy: string;
    createdUnixMs: number;
  };
  /** A peer of a rotation. Its next keys are in no answer, and are forgotten once it is over. */
  rotationPeers: {
    rotationId: string;
    ordinal: number;
    vrouterId: string;
    peer: string;
    publicKey: string;
    /** The same when only the preshared key is another. */
    nextPublicKey: string;
    /** Null: there is no other, or it is over. */
    nextPresharedKey: string | null;
    state: EntryState;
    offeredUnixMs: number | null;
    endedUnixMs: number | null;
    /** While it is being taken back: the version that says so to the gateway, and what it is then. */
    withdrawnVersion: number | null;
    endsAs: 'cancelled' | 'lapsed' | null;
    /** 1: it was made to change, which interrupts. */
    forced: number;
    reason: string | null;
  };
  /** Those that share this store. */
  controllers: {
    /** Of its data folder. */
    id: string;
    host: string;
    version: string;
    /** JSON: `https://host:port` at which gateways reach it. */
    urls: string;
    startedUnixMs: number;
    /** When it was last known to be alive, by its own clock. */
    seenUnixMs: number;
    /** When it stopped in good order; null while it runs, or died. */
    stoppedUnixMs: number | null;
  };
  /** Intermediates of the embedded authority, of all controllers; certificates alone, no keys. */
  issuers: {
    /** SHA-256 of the certificate, lower-case hex. */
    fingerprint: string;
    pem: string;
    /** The round of rotations that it was made in. */
    round: number;
    /** Until when certificates that it has signed are believed. */
    trustedUntilUnixMs: number;
  };
  /** Gateways whose vrouter was deleted, so that they can be told. */
  deletedGateways: { id: string; vrouter: string; deletedUnixMs: number };
  /** Numbers that only grow and outlive a restart, for the metrics. */
  counters: { name: string; value: number };
  users: {
    id: string;
    name: string;
    role: Role;
    createdUnixMs: number;
    disabledUnixMs: number | null;
    /** The OpenID Connect provider that says who this is, and whom it says: together they are the person. Null of local users. */
    issuer: string | null;
    subject: string | null;
  };
  /** Nonces of logins that were answered, until their time is over: none serves twice. */
  usedNonces: {
    /** SHA-256 of the nonce, hex. */
    hash: string;
    expiresUnixMs: number;
  };
  apiTokens: {
    id: string;
    userId: string;
    name: string;
    role: Role;
    /** SHA-256 of the secret, hex. */
    secretHash: string;
    createdUnixMs: number;
    expiresUnixMs: number | null;
    lastUsedUnixMs: number | null;
    revokedUnixMs: number | null;
  };
  /** Only ever added to, and chained by `hash`: audit.ts alone writes it. */
  audit: {
    id: number;
    atUnixMs: number;
    actor: string;
    tokenId: string | null;
    source: string | null;
    action: string;
    subject: string | null;
    outcome: 'done' | 'refused';
    reason: string | null;
    hash: string;
  };
}

export type Db = Kysely<Tables>;
/** Either the database or a transaction on it: verbs that only read take both. */
export type Reader = Kysely<Tables> | Transaction<Tables>;
export type Tx = Transaction<Tables>;
