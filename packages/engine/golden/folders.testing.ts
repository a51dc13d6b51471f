/** What the stories in folders share: where they lie, what they hold, and the numbers that they tell. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CountersReply } from '../control/messages.ts';

/** Folders of folders, each with a runner of its own. */
export const KINDS = ['nodes', 'ethernet'] as const;
export type Kind = (typeof KINDS)[number];

const FILES = ['in.pcap', 'out.pcap', 'story.txt'] as const;
export type StoryFile = (typeof FILES)[number];

/** What comes of a story. */
export interface Played {
  readonly file: Uint8Array;
  readonly results: string;
}

/** A story: its folder is named as the node that it is about, or as that with more behind a dot. */
export class Folder {
  readonly name: string;
  readonly node: string;
  readonly #path: string;

  constructor(kind: Kind, name: string) {
    this.name = name;
    this.node = name.split('.')[0]!;
    this.#path = join(import.meta.dirname, kind, name);
  }

  /** Names of files that a story has and this folder does not. */
  get missing(): readonly StoryFile[] {
    const there = readdirSync(this.#path);
    return FILES.filter((file) => !there.includes(file));
  }

  read(file: StoryFile): Uint8Array {
    return new Uint8Array(readFileSync(join(this.#path, file)));
  }

  /** The lines of the story that a rewrite keeps, and those that begin with one of the words of `results`. */
  story(results: RegExp): { readonly kept: string; readonly results: string } {
    const lines = readFileSync(join(this.#path, 'story.txt'), 'utf8').trimEnd().split('\n');
    const kept = lines.filter((line) => !results.test(line));
    return { kept: kept.join('\n').trimEnd(), results: lines.filter((line) => results.test(line)).join('\n') };
  }

  rewrite(kept: string, { file, results }: Played): void {
    writeFileSync(join(this.#path, 'out.pcap'), file);
    writeFileSync(join(this.#path, 'story.txt'), `${kept}\n\n${results}\n`);
  }
}

export function foldersOf(kind: Kind): readonly Folder[] {
  return readdirSync(join(import.meta.dirname, kind))
    .sort()
    .map((name) => new Folder(kind, name));
}

/** What has been counted between the two: drops, packets of each link, packets of each node. */
export function countedLines(before: CountersReply, after: CountersReply): string[] {
  const links = after.links.map((is) => {
    const was = before.links.find(({ name }) => name === is.name) ?? { rxPackets: 0, txPackets: 0, drops: 0 };
    const name = after.links.length === 1 ? '' : `${is.name} `;
    return `link ${name}rx ${is.rxPackets - was.rxPackets} tx ${is.txPackets - was.txPackets} drops ${is.drops - was.drops}`;
  });
  return [
    ...Object.entries(after.drops).map(([reason, count]) => `drop ${reason} ${count - (before.drops[reason] ?? 0)}`),
    ...links,
    ...Object.entries(after.nodes)
      .map(([node, count]) => [node, count - before.nodes[node]!] as const)
      .filter(([, count]) => count > 0)
      .map(([node, count]) => `node ${node} ${count}`),
  ];
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
