/** Throws bytes at parsers. A fuzzer is a file `*.fuzz.ts` of a package or program that exports `name`, `fuzzOne` and, if it likes, `seeds`. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Rng, seededRng } from '../packages/core/rng.ts';
import { filesBelow, root } from './files.ts';

export interface Fuzzer {
  readonly name: string;
  /** Of its file, absolute; set when it is loaded from one. */
  readonly path?: string;
  /** Parses and checks what it can; a throw is a bug. Must be quick and leave no state behind. */
  fuzzOne(bytes: Uint8Array): void;
  /** Legal inputs to start from: mutations of these get further than noise. */
  readonly seeds?: readonly Uint8Array[];
}

export interface Finding {
  readonly error: unknown;
  readonly input: Uint8Array;
  readonly round: number;
}

/** All fuzzers whose path or name contains `filter`. */
export async function loadFuzzers(filter = ''): Promise<Fuzzer[]> {
  const found: Fuzzer[] = [];
  for (const path of ['packages', 'programs'].flatMap((folder) => filesBelow(folder, '.fuzz.ts'))) {
    const fuzzer = (await import(join(root, path))) as Partial<Fuzzer>;
    if (typeof fuzzer.name !== 'string' || typeof fuzzer.fuzzOne !== 'function')
      throw new TypeError(`${path} does not export name and fuzzOne`);
    if (path.includes(filter) || fuzzer.name.includes(filter))
      found.push({ ...(fuzzer as Fuzzer), path: join(root, path) });
  }
  return found;
}

/** Rounds of inputs that the seed decides, until one throws or `goOn(round)` is false. */
export function fuzz(
  fuzzer: Fuzzer,
  seed: number,
  goOn: (round: number) => boolean,
): Finding | { readonly rounds: number } {
  const rng = seededRng(seed);
  const corpus = fuzzer.seeds ?? [];
  let round = 0;
  for (; goOn(round); round++) {
    const input = inputOf(rng, corpus);
    try {
      // A copy of its own: a fuzzer that writes into its input must not spoil what we save.
      fuzzer.fuzzOne(Uint8Array.from(input));
    } catch (error) {
      return { error, input, round };
    }
  }
  return { rounds: round };
}

/** Keeps a failing input under .cache/fuzz; answers its path, relative to the clone. */
export function saveInput(name: string, input: Uint8Array): string {
  const hash = createHash('sha256').update(input).digest('hex').slice(0, 12);
  const folder = '.cache/fuzz';
  mkdirSync(join(root, folder), { recursive: true });
  const path = `${folder}/${name.replaceAll(/[^a-zA-Z0-9_-]/g, '-')}-${hash}.bin`;
  writeFileSync(join(root, path), input);
  return path;
}

/** Noise one time in four, otherwise a known input with one to eight mutations. */
function inputOf(rng: Rng, corpus: readonly Uint8Array[]): Uint8Array {
  const below = (most: number): number => rng.uint32() % most;
  const known = corpus.length === 0 ? undefined : corpus[below(corpus.length)];
  if (known === undefined || below(4) === 0) {
    const noise = new Uint8Array(below(2) === 0 ? below(64) : below(2048));
    rng.fill(noise);
    return noise;
  }
  let bytes: Uint8Array = known;
  for (let times = 1 + below(8); times > 0; times--) bytes = mutate(bytes, below, corpus);
  return bytes;
}

/** Values on which length checks trip. */
const edges = [0, 1, 0x7f, 0x80, 0xfe, 0xff];

function mutate(bytes: Uint8Array, below: (most: number) => number, corpus: readonly Uint8Array[]): Uint8Array {
  const at = below(bytes.length + 1);
  const until = at + below(Math.min(16, bytes.length - at) + 1);
  const out = Uint8Array.from(bytes);
  switch (below(7)) {
    case 0:
      if (at < out.length) out[at] = out[at]! ^ (1 << below(8));
      return out;
    case 1:
      if (at < out.length) out[at] = edges[below(edges.length)]!;
      return out;
    case 2:
      if (at < out.length) out[at] = below(256);
      return out;
    case 3:
      return out.slice(0, at);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(until));
    case 5:
      return joined(bytes.subarray(0, until), bytes.subarray(at, until), bytes.subarray(until));
    default: {
      const other = corpus[below(corpus.length)] ?? bytes;
      return joined(bytes.subarray(0, at), other.subarray(below(other.length + 1)));
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part])).slice(0, 65_536);
}
