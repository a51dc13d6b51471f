/** The tables. Times are Unix ms; booleans are 0 and 1; lists and objects are JSON text. */
import type { Role } from '@vrouter/api/rest/identity.ts';
import type { Kysely, Transaction } from 'kysely';

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
  /** One row per touched key of a version; `body` is null for a removal. `hash` is the state's after the whole version. */
  changes: {
    vrouterId: string;
    version: number;
    ordinal: number;
    op: 'put' | 'remove';
    key: string;
    body: string | null;
    hash: string;
    atUnixMs: number;
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
  /** Numbers that only grow and outlive a restart, for the metrics. */
  counters: { name: string; value: number };
  users: {
    id: string;
    name: string;
    role: Role;
    createdUnixMs: number;
    disabledUnixMs: number | null;
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
