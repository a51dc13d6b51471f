/** What `-f` names: files, folders with their *.yaml and *.yml, and standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../failure.ts';
import type { World } from '../session.ts';
import type { Source } from './read.ts';

/** Longest text that is read of one file, bytes. */
const FILE_MAX = 64 << 20;

/** In the order in which they were named, those of a folder by name. Failure `config.invalid`, `usage`. */
export async function readNamed(names: readonly string[], world: World): Promise<Source[]> {
  if (names.filter((name) => name === '-').length > 1)
    throw new Failure('usage', 'standard input can be read once: name - once', '--file');
  const sources: Source[] = [];
  for (const name of names) {
    if (name === '-') sources.push({ file: '-', text: await world.readIn() });
    else for (const path of filesAt(name)) sources.push({ file: path, text: readText(path) });
  }
  return sources;
}

function filesAt(path: string): string[] {
  const found = tried(path, () => statSync(path));
  if (!found.isDirectory()) return [path];
  const files = tried(path, () => readdirSync(path, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name))
    .map((entry) => join(path, entry.name))
    .sort();
  if (files.length === 0) throw new Failure('config.invalid', `there is no *.yaml and no *.yml in ${path}`, '--file');
  return files;
}

function readText(path: string): string {
  if (tried(path, () => statSync(path)).size > FILE_MAX)
    throw new Failure('config.invalid', `${path} is longer than ${FILE_MAX >> 20} MiB; make several of it`, '--file');
  return tried(path, () => readFileSync(path, 'utf8'));
}

function tried<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure('config.invalid', `cannot read ${path}: ${why}`, '--file');
  }
}
