/** YAML as plain values, each of which knows its line. What JSON has no word for is refused; aliases are followed, within bounds. */
import type { Json } from '@vrouter/core/json.ts';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';
import type { Place } from './things.ts';

/** A value and where it stands. Keys of a map are texts, however they look. */
export type Located = Spot &
  (
    | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, { readonly key: Spot; readonly value: Located }> }
    | { readonly kind: 'list'; readonly items: readonly Located[] }
    | { readonly kind: 'scalar'; readonly value: string | number | boolean | null }
  );

export interface Spot {
  readonly place: Place;
}

export interface YamlMistake extends Spot {
  readonly message: string;
}

/** Deeper than anything that means something here. */
const DEPTH_MAX = 32;
/** Values that aliases may stand for, all together. */
const ALIASED_MAX = 100_000;

/** All documents of a text; empty ones are left out. `file` is for places. Never throws. */
export function readYaml(text: string, file: string): { documents: Located[]; mistakes: YamlMistake[] } {
  const reader = new Reader(file);
  const documents: Located[] = [];
  try {
    // Keys that are there twice are found below: the library compares each with each.
    const parsed = parseAllDocuments(text, {
      lineCounter: reader.lines,
      stringKeys: true,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
    });
    for (const document of Array.isArray(parsed) ? parsed : []) {
      for (const { pos, message } of document.errors) reader.mistake(pos[0], message);
      const root = document.contents;
      if (document.errors.length > 0 || root === null) continue;
      if (isScalar(root) && root.value === null) continue;
      documents.push(reader.readDocument(root as Node));
    }
  } catch (thrown) {
    // A text that is nested without end.
    reader.mistake(0, thrown instanceof Error ? thrown.message : String(thrown));
  }
  return { documents, mistakes: reader.mistakes };
}

class Reader {
  readonly lines = new LineCounter();
  readonly mistakes: YamlMistake[] = [];
  readonly #file: string;
  /** Nodes by their anchors, as far as has been read. */
  readonly #anchors = new Map<string, Node>();
  #within = 0;
  #aliased = 0;

  constructor(file: string) {
    this.#file = file;
  }

  mistake(at: number, message: string): void {
    this.mistakes.push({ place: this.#place(at), message });
  }

  readDocument(root: Node): Located {
    this.#anchors.clear();
    return this.#read(root, 0);
  }

  #read(node: Node | null, depth: number): Located {
    const at = node?.range?.[0] ?? 0;
    const place = this.#place(at);
    const nothing: Located = { place, kind: 'scalar', value: null };
    if (this.#within > 0 && ++this.#aliased > ALIASED_MAX) {
      if (this.#aliased === ALIASED_MAX + 1) this.mistake(at, 'aliases stand for more than a file needs');
      return nothing;
    }
    if (depth > DEPTH_MAX) {
      this.mistake(at, 'this is nested deeper than anything means something');
      return nothing;
    }
    if (node === null) return nothing;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) {
        this.mistake(at, `there is no anchor &${node.source} before this`);
        return nothing;
      }
      this.#within++;
      const value = this.#read(target, depth + 1);
      this.#within--;
      return { ...value, place };
    }
    if (this.#within === 0 && 'anchor' in node && typeof node.anchor === 'string') this.#anchors.set(node.anchor, node);
    if (isMap(node)) {
      const entries = new Map<string, { key: Spot; value: Located }>();
      for (const { key, value } of node.items) {
        const keyAt = (key as Node | null)?.range?.[0] ?? at;
        if (!isScalar(key) || typeof key.value !== 'string') this.mistake(keyAt, 'a key is a text');
        else if (entries.has(key.value)) this.mistake(keyAt, `"${key.value}" is there twice`);
        else
          entries.set(key.value, {
            key: { place: this.#place(keyAt) },
            value: this.#read(value as Node | null, depth + 1),
          });
      }
      return { place, kind: 'map', entries };
    }
    if (isSeq(node))
      return { place, kind: 'list', items: node.items.map((item) => this.#read(item as Node | null, depth + 1)) };
    const value: unknown = isScalar(node) ? node.value : undefined;
    if (value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value))
      return { place, kind: 'scalar', value: value as string | number | boolean | null };
    this.mistake(at, 'this is neither a text, a number, true, false, null, a list nor a map');
    return nothing;
  }

  #place(at: number): Place {
    const { line, col } = this.lines.linePos(at);
    // Line 0 is that of an empty text.
    return { file: this.#file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
}

/** Without the places. */
export function plainOf(located: Located): Json {
  switch (located.kind) {
    case 'scalar':
      return located.value;
    case 'list':
      return located.items.map(plainOf);
    case 'map':
      return Object.fromEntries([...located.entries].map(([name, { value }]) => [name, plainOf(value)]));
    default:
      return located satisfies never;
  }
}

/** Where a path leads, or as far as there is something on it. */
export function placeAt(located: Located, path: readonly PropertyKey[]): Place {
  let here: Located = located;
  let { place } = located;
  for (const part of path) {
    const entry = here.kind === 'map' ? here.entries.get(String(part)) : undefined;
    const next = here.kind === 'list' ? here.items[Number(part)] : entry?.value;
    if (next === undefined) break;
    here = next;
    place = entry?.key.place ?? next.place;
  }
  return place;
}
