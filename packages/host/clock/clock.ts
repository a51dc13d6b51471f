/**
 * The clock that minds are handed. Node's own monotonic clock stands still while the machine is suspended, and a session that slept for
 * ten minutes would seem young: so CLOCK_BOOTTIME is read, which counts that time (clock_gettime(2), linux/time.h).
 */
import { type Clock, type Millis, millis } from '@vrouter/core/time.ts';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative } from '../internal/native.ts';

const CLOCK_BOOTTIME = 7;
/** A wall clock that gains this much at once on the monotonic one: the machine slept, or somebody has set it. */
const JUMP_MS = 10_000;

interface ClockCalls {
  clock_gettime(id: number, time: number): number;
}

export type ClockBackend = 'boottime' | 'monotonic';

const memo: { boottime?: (() => Millis) | null } = {};

/** `now` counts the time that the machine was suspended, and never goes back; all threads of the process have the same origin, or none. */
export function systemClock(): Clock {
  const unixMs = (): number => Date.now();
  return { now: boottime() ?? wakeful(() => performance.now(), unixMs), unixMs };
}

/** What `systemClock().now` reads here. */
export function clockBackend(): ClockBackend {
  return boottime() === null ? 'monotonic' : 'boottime';
}

/**
 * For where there is no such clock: a monotonic one that is moved on by as much as the wall clock has gained since the last call, when
 * that is JUMP_MS or more. A shorter sleep is not noticed, and a wall clock that is set ahead ends sessions that could have gone on.
 */
export function wakeful(monotonic: () => number, wall: () => number): () => Millis {
  let slept = 0;
  let lead = wall() - monotonic();
  return () => {
    const at = monotonic();
    const gained = wall() - at - lead;
    lead += gained;
    if (gained >= JUMP_MS) slept += gained;
    return millis(at + slept);
  };
}

/** CLOCK_BOOTTIME in ms, or null where this is no 64-bit Linux, or has no koffi. */
function boottime(): (() => Millis) | null {
  if (memo.boottime === undefined) memo.boottime = find();
  return memo.boottime;
}

function find(): (() => Millis) | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  const native = loadNative();
  if (native === null) return null;
  const calls = loadFunctions<ClockCalls>(native.self, { clock_gettime: ['int', ['int', 'uint64_t']] });
  if (calls === null) return null;
  // struct timespec: seconds and nanoseconds, 64 bits each, low word first.
  const words = new Uint32Array(4);
  const address = new AddressBook(native).of(words.buffer);
  const read = (): Millis => {
    if (calls.clock_gettime(CLOCK_BOOTTIME, address) !== 0) throw new Error('clock_gettime(CLOCK_BOOTTIME) failed');
    return millis((words[1]! * 2 ** 32 + words[0]!) * 1000 + words[2]! / 1e6);
  };
  return read;
}
