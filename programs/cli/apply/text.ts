/** How a plan reads, for people and for machines. Secrets are in neither. */
import type { Json } from '@vrouter/core/json.ts';
import { plain } from '@vrouter/core/table.ts';
import { type Action, countActions, type FieldChange, kindOrder, type Plan, type Step } from './compare.ts';
import type { Outcome } from './run.ts';
import { nouns, type Thing, titleOf } from './things.ts';

const marks: { readonly [A in Action]: string } = {
  create: '+ create',
  change: '~ change',
  replace: '-/+ replace',
  delete: '- delete',
  refuse: '! refused',
};

/** One block for each vrouter, and a line of counts. */
export function planText(plan: Plan): string {
  const blocks = [...Map.groupBy(plan.steps, (step) => step.vrouter)].map(([vrouter, steps]) => {
    const sorted = steps.toSorted((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind));
    return [`vrouter ${vrouter}`, ...sorted.flatMap(stepLines)].join('\n');
  });
  return [...blocks, countsText(plan)].join('\n\n');
}

function stepLines(step: Step): string[] {
  const { action, effect, note, problem, changes, wanted } = step;
  const notes = [
    ...(action === 'replace' || (action === 'change' && effect === 'interrupt') ? ['its traffic is interrupted'] : []),
    ...(effect === 'rehandshake' ? ['its session begins anew'] : []),
    ...(note === '' ? [] : [note]),
    ...(problem === null ? [] : [`${problem.message} (${problem.code}), in ${problem.field}`]),
  ];
  const head = `  ${marks[action]} ${titleOf(step)}${notes.length === 0 ? '' : `: ${notes.join('; ')}`}`;
  const details = action === 'create' ? createdFields(wanted!) : changes.map(changeText);
  return [head, ...details.map((line) => `      ${line}`)].map(plain);
}

/** What is not as it would be anyway is worth a line. */
function createdFields({ fields }: Thing): string[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== null && value !== false && !(Array.isArray(value) && value.length === 0))
    .map(([field, value]) => `${field}: ${valueText(field, value)}`);
}

function changeText({ field, old, new: value }: FieldChange): string {
  return `${field}: ${valueText(field, old)} → ${valueText(field, value, 'another, hidden')}`;
}

function valueText(field: string, value: Json | undefined, hidden = 'hidden'): string {
  if (value === null || value === undefined) return 'none';
  if (field === 'presharedKey') return `(${hidden})`;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  return String(value);
}

/** `2 to create, 1 to change; 4 as they should be; 3 in no file and left alone (2 peers, 1 route)` */
function countsText({ steps, same, left }: Plan): string {
  const { create, change, replace, delete: gone, refuse } = countActions(steps);
  const todo = [
    ...(create > 0 ? [`${create} to create`] : []),
    ...(change > 0 ? [`${change} to change`] : []),
    ...(replace > 0 ? [`${replace} to replace`] : []),
    ...(gone > 0 ? [`${gone} to delete`] : []),
    ...(refuse > 0 ? [`${refuse} refused`] : []),
  ];
  const kinds = kindOrder.filter((kind) => (left[kind] ?? 0) > 0);
  const lone = kinds.reduce((sum, kind) => sum + left[kind]!, 0);
  const by = kinds.map((kind) => `${left[kind]} ${nouns[kind][left[kind] === 1 ? 0 : 1]}`).join(', ');
  return [
    todo.length === 0 ? 'nothing to do' : todo.join(', '),
    ...(same === 0 ? [] : [`${same} as they should be`]),
    ...(lone === 0 ? [] : [`${lone} in no file and left alone (${by}); --prune would delete them`]),
  ].join('; ');
}

/** `1 created, 2 changed`; null when nothing was done. */
export function doneText(outcomes: readonly Outcome[]): string | null {
  const counts = countActions(outcomes.filter(({ state }) => state === 'done').map(({ step }) => step));
  const said = [
    [counts.create, 'created'],
    [counts.change, 'changed'],
    [counts.replace, 'replaced'],
    [counts.delete, 'deleted'],
  ] as const;
  const parts = said.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return parts.length === 0 ? null : parts.join(', ');
}

/** Fewer of a kind than this no gateway holds back: HELD_LEAST of packages/intent/interlock. */
const HELD_LEAST = 10;

/** A line for each vrouter that lost so many of a kind that its gateway may wait for a word before it takes them away. */
export function heldTexts(outcomes: readonly Outcome[]): string[] {
  const gone = outcomes
    .filter(({ step, state }) => state === 'done' && step.action === 'delete')
    .map(({ step }) => step);
  return [...Map.groupBy(gone, (step) => step.vrouter)].flatMap(([vrouter, steps]) => {
    const many = [...Map.groupBy(steps, (step) => step.kind)].filter(([, { length }]) => length >= HELD_LEAST);
    if (many.length === 0) return [];
    const what = many.map(([kind, { length }]) => `${length} ${nouns[kind][1]}`).join(', ');
    return [
      `the gateway of ${vrouter} may hold back that it loses ${what}: vrouterctl vrouter show ${vrouter} tells in a moment, vrouterctl vrouter confirm ${vrouter} lets it`,
    ];
  });
}

/** For machines: of `--json --plan`. */
export function planJson({ steps, same, left }: Plan): object {
  return { steps: steps.map(stepJson), counts: { ...countActions(steps), same, left } };
}

/** The plan, and of each step what it came to: of `--json`. */
export function runJson(plan: Plan, outcomes: readonly Outcome[]): object {
  const by = new Map(outcomes.map((outcome) => [outcome.step, outcome]));
  const steps = plan.steps.map((step) => {
    const { state, version, failure } = by.get(step) ?? { state: 'refused', version: null, failure: null };
    return { ...stepJson(step), state, version, error: failure?.toJSON().error ?? step.problem };
  });
  return { ...planJson(plan), steps };
}

function stepJson({ action, kind, vrouter, id, changes, effect, note, wanted, problem }: Step) {
  const created = Object.entries(action === 'create' ? wanted!.fields : {}).map(([field, value]) => ({
    field,
    old: null,
    new: value,
  }));
  return {
    action,
    kind,
    vrouter,
    id,
    fields: (action === 'create' ? created : changes).map((one) => ({
      field: one.field,
      old: shown(one.field, one.old),
      new: shown(one.field, one.new),
    })),
    effect,
    note: note === '' ? null : note,
    place: wanted?.place ?? null,
    problem,
  };
}

function shown(field: string, value: Json | undefined): Json {
  return field === 'presharedKey' && typeof value === 'string' ? '(hidden)' : (value ?? null);
}
