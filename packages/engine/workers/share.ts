/**
 * One engine on several threads: every worker has all tables and a graph of its own, and each WireGuard peer lives on one of them. What
 * a worker must know of the others. Read the drawing in packages/engine/README.md first.
 */
import { WG_COOKIE_REPLY, WG_DATA, WG_INITIATION, WG_RESPONSE } from '@vrouter/wire/wireguard/message.ts';

/** The top bits of a receiver index that name its worker. */
export const WORKER_BITS = 3;
/** Hears all initiations: they carry no index of ours. */
export const DOORKEEPER = 0;

/**
 * The worker that has what there is only once: NAT sessions, and the descriptors of TUN devices. The last one, away from the doorkeeper;
 * one and the same for both, since what is translated often leaves by the host.
 */
export function keeperOf(workers: number): number {
  return workers - 1;
}

/** Bytes of one ring: some 1,400 full packets or 20,000 small ones. */
export const RING_BYTES = 1 << 21;

/** What worker `index` of `workers` shares with the others. */
export interface Share {
  readonly index: number;
  readonly workers: number;
  /** See bell.ts. */
  readonly bells: SharedArrayBuffer;
  /** `rings[from][to]`, see ring.ts; null where from is to. */
  readonly rings: readonly (readonly (SharedArrayBuffer | null)[])[];
}

/** The worker of a peer: the same for the same key, whatever else changes. Keys are as good as random, so a few bytes are a hash. */
export function ownerOf(publicKey: Uint8Array, workers: number): number {
  const word = (publicKey[4]! << 24) | (publicKey[11]! << 16) | (publicKey[18]! << 8) | publicKey[25]!;
  return (word >>> 0) % workers;
}

/** Where a datagram belongs by its own words: a worker, `DOORKEEPER` for what carries no index of ours, also for nonsense. */
export function workerOf(bytes: Uint8Array, at: number, length: number): number {
  if (length < 4) return DOORKEEPER;
  const type = bytes[at]!;
  const field = type === WG_RESPONSE ? RESPONSE_TOP : type === WG_DATA || type === WG_COOKIE_REPLY ? INDEX_TOP : 0;
  return field === 0 || length <= field ? DOORKEEPER : bytes[at + field]! >>> (8 - WORKER_BITS);
}

/** True for what part 0 must see first. */
export function isInitiation(bytes: Uint8Array, at: number, length: number): boolean {
  return length > 0 && bytes[at] === WG_INITIATION;
}

/** The last byte of the receiver index, which is little-endian: of data and cookie replies, and of responses. */
const INDEX_TOP = 7;
const RESPONSE_TOP = 11;

/** An instruction of the classic packet filter: code, jump if true, jump if false, operand. */
export type FilterRow = readonly [code: number, yes: number, no: number, k: number];

// linux/filter.h
const LOAD_BYTE = 0x30;
const JUMP_EQUAL = 0x15;
const SHIFT_RIGHT = 0x74;
const RETURN_A = 0x16;
const RETURN_K = 0x06;

/** `workerOf` for the kernel: sees the UDP payload, answers the number of the socket. A load beyond the end answers 0 there. */
export const steeringProgram: readonly FilterRow[] = [
  [LOAD_BYTE, 0, 0, 0],
  [JUMP_EQUAL, 3, 0, WG_DATA],
  [JUMP_EQUAL, 2, 0, WG_COOKIE_REPLY],
  [JUMP_EQUAL, 3, 0, WG_RESPONSE],
  [RETURN_K, 0, 0, DOORKEEPER],
  [LOAD_BYTE, 0, 0, INDEX_TOP],
  [JUMP_EQUAL, 1, 1, 0],
  [LOAD_BYTE, 0, 0, RESPONSE_TOP],
  [SHIFT_RIGHT, 0, 0, 8 - WORKER_BITS],
  [RETURN_A, 0, 0, 0],
];
