/** Every node has a story and every story a node, and what a node drops by `nodes/README.md` is dropped in one of its stories. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dropReasons } from '../graph/drops.ts';
import { graphPlan } from '../graph/plan.ts';
import { foldersOf, KINDS } from './folders.testing.ts';

const nodesFolder = join(import.meta.dirname, '../nodes');
const nodes = readdirSync(nodesFolder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();
const stories = KINDS.flatMap((kind) => foldersOf(kind));

const FULL = 'takes more packets in one batch than a story should hold: reassembly.test.ts, and nat/follow.test.ts';
/** Reasons that no story gives, and why. */
const untold: { readonly [node: string]: { readonly [reason: string]: string } } = {
  'ethernet-input': { offloadMalformed: 'as in tun-input; ports/ethernet/port.test.ts' },
  'neighbour-input': { neighbourLimited: 'takes 201 questions: neighbour-input.test.ts' },
  'ethernet-output': {
    neighboursFull: 'takes 513 neighbours: ethernet-output.test.ts',
    workerFull: 'these stories have one worker; as in tun-output.ring',
  },
  local: { madeFull: FULL },
  'link-output': { madeFull: FULL },
  'nat-in': { madeFull: FULL, natPortsExhausted: 'as in nat-out.refused', natNoAddress: 'as in nat-out.refused' },
  'nat-out': { madeFull: FULL },
};

/** By node: the words of the last column that are reasons. */
function tableOfDrops(): Map<string, readonly string[]> {
  const rows = readFileSync(join(nodesFolder, 'README.md'), 'utf8').matchAll(/^\| `([\w-]+)` .*\| ([^|]+) \|$/gm);
  const isReason = (word: string): boolean => (dropReasons as readonly string[]).includes(word);
  return new Map(
    [...rows].map(([, node, drops]) => [
      node!,
      [...drops!.matchAll(/`(\w+)`/g)].map(([, word]) => word!).filter(isReason),
    ]),
  );
}

test('the folders of nodes are the nodes of the graph, and each has a story', () => {
  assert.deepEqual(nodes, Object.keys(graphPlan).sort());
  const told = new Set(stories.map(({ node }) => node));
  assert.deepEqual(
    nodes.filter((node) => !told.has(node)),
    [],
    'without a folder in golden/nodes or golden/ethernet; golden/README.md says how to write a story',
  );
});

test('each story is whole, and about a node', () => {
  const odd = stories.filter(({ node, missing }) => missing.length > 0 || !nodes.includes(node));
  assert.deepEqual(
    odd.map(({ name, missing }) => [name, ...missing]),
    [],
  );
});

test('each reason to drop stands with a node, and is given in a story of that node', () => {
  const table = tableOfDrops();
  assert.deepEqual([...table.keys()].sort(), nodes);
  const known = new Set(['none', ...[...table.values()].flat()]);
  assert.deepEqual(
    dropReasons.filter((reason) => !known.has(reason)),
    [],
    'in no row of nodes/README.md',
  );
  const given = new Map<string, Set<string>>(nodes.map((node) => [node, new Set()]));
  for (const story of stories)
    for (const [, reason] of story.story(/^drop /).results.matchAll(/^drop (\S+)/gm))
      given.get(story.node)!.add(reason!);
  const wanting = [...table].flatMap(([node, reasons]) =>
    reasons.filter((reason) => !given.get(node)!.has(reason)).map((reason) => `${node} ${reason}`),
  );
  const excused = Object.entries(untold).flatMap(([node, reasons]) =>
    Object.keys(reasons).map((one) => `${node} ${one}`),
  );
  assert.deepEqual(wanting.sort(), excused.sort());
});
