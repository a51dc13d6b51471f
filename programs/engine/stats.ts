/** Where workers count: memory that vrouterd can read without asking, or, where there is no such memory, such that the threads share. */
import { readSync } from 'node:fs';
import { SEGMENT_BYTES } from '@vrouter/engine/stats/layout.ts';
import type { ReadStats } from '@vrouter/engine/stats/reader.ts';
import { createMemory, mapMemory } from '@vrouter/host/memory/memory.ts';

/** Without a descriptor nobody outside reads it, and it need not be large. */
const INSIDE_BYTES = 16 * 1024 * 1024;

/** A worker's memory as it can be told to its thread: a descriptor, or the memory itself. */
export type StatsMemory = number | SharedArrayBuffer;

export function makeStats(worker: number): StatsMemory {
  return createMemory(`vrouter-stats-${worker}`, SEGMENT_BYTES) ?? new SharedArrayBuffer(INSIDE_BYTES);
}

/** The memory, in the thread that counts. */
export function openStats(memory: StatsMemory): ArrayBuffer | SharedArrayBuffer {
  if (typeof memory !== 'number') return memory;
  const mapped = mapMemory(memory, SEGMENT_BYTES);
  if (mapped === null) throw new Error('the memory for counters cannot be mapped');
  return mapped;
}

/** Reads it from another thread of this process. */
export function statsReader(memory: StatsMemory): ReadStats {
  if (typeof memory !== 'number') return (at, length) => new Uint8Array(memory).subarray(at, at + length);
  return (at, length) => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(memory, bytes, 0, length, at));
  };
}

/** Where other processes read them, in the order of workers; empty where they cannot. */
export function statsPaths(pid: number, memories: readonly StatsMemory[]): string[] {
  return memories.every((memory) => typeof memory === 'number') ? memories.map((fd) => `/proc/${pid}/fd/${fd}`) : [];
}
