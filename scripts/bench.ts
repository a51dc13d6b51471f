/**
 * `npm run -s bench -- NAME [--json]`: runs one claim of bench/NAME.ts against its peers and shows the numbers as a table; with --json
 * the table goes to standard error, and standard output ends with one line of JSON. Without a NAME it lists what there is.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchResult } from '../bench/result.ts';
import { filesBelow, root } from './files.ts';

const args = process.argv.slice(2);
const json = args.includes('--json');
const names = args.filter((arg) => !arg.startsWith('-'));
const stray = args.find((arg) => arg.startsWith('-') && arg !== '--json') ?? names[1];
const known = benches();

if (stray !== undefined) usage(`what is ${stray}?`);
else if (names[0] === undefined) console.log(listing());
else if (!known.has(names[0])) usage(`there is no bench "${names[0]}"`);
else await measure(names[0]);

async function measure(name: string): Promise<void> {
  const bench = (await import(join(root, 'bench', `${name}.ts`))) as { run(): Promise<BenchResult> };
  const result = await bench.run();
  const table = tableOf(result);
  if (json) {
    console.error(table);
    const { bench: title, real, ours, peers, ratio, note } = result;
    console.log(
      JSON.stringify({
        bench: title,
        real,
        ours,
        peers,
        ...(real ? { ratio } : {}),
        ...(note === undefined ? {} : { note }),
      }),
    );
  } else console.log(table);
}

/** Name → what its file says first about itself. A file of bench/ is a bench when it exports `run`. */
function benches(): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of filesBelow('bench', '.ts')) {
    const name = /^bench\/([a-z0-9-]+)\.ts$/.exec(path)?.[1];
    if (name === undefined) continue;
    const source = readFileSync(join(root, path), 'utf8');
    if (!/^export (?:async function run\b|function run\b|const run\b)/m.test(source)) continue;
    const first = /^\/\*\*[\s*]*([^\n]*)/.exec(source)?.[1] ?? '';
    found.set(name, first.replace(/\s*\*\/$/, ''));
  }
  return found;
}

function listing(): string {
  if (known.size === 0) return 'there are no benches yet';
  const width = Math.max(...[...known.keys()].map((name) => name.length));
  const rows = [...known].map(([name, about]) => `  ${name.padEnd(width)}  ${about}`);
  return `npm run -s bench -- NAME [--json]\n\n${rows.join('\n')}`;
}

function usage(complaint: string): void {
  console.error(`error: ${complaint}\n\n${listing()}`);
  process.exitCode = 2;
}

function tableOf(result: BenchResult): string {
  const peers = Object.entries(result.peers);
  const measures = [
    ...new Set([result.ours, ...peers.map(([, numbers]) => numbers)].flatMap((numbers) => Object.keys(numbers))),
  ];
  const rows = [
    [result.bench, 'ours', ...peers.map(([peer]) => peer)],
    ...measures.map((name) => [
      name,
      ...[result.ours, ...peers.map(([, numbers]) => numbers)].map((of) => cell(of[name])),
    ]),
  ];
  if (result.real) rows.push(['ratio', '', ...peers.map(([peer]) => cell(result.ratio[peer]))]);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)))
      .join('  '),
  );
  if (!result.real) lines.push('', 'no real peer took part, so there is nothing to compare with');
  if (result.note !== undefined) lines.push('', result.note);
  return lines.join('\n');
}

function cell(value: number | undefined): string {
  return value === undefined ? '-' : String(Number(value.toPrecision(4)));
}
