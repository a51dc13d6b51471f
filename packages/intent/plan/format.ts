/** A plan as text, for a dry run. Secrets show as the first digits of their fingerprints. */
import { objectKinds, type PlaneObject } from '../model/objects.ts';
import { fieldOf, isSecret } from '../model/same.ts';
import type { Effect, Step } from './step.ts';

const signs: { readonly [O in Step['op']]: string } = { create: '+', update: '~', delete: '-' };
const effects: { readonly [E in Effect]: string } = {
  none: '',
  rehandshake: '  [rehandshake]',
  interrupt: '  [interrupts traffic]',
};

/** One line per step (`+` create, `~` update, `-` delete) with what changes and its effect, then a line that counts. */
export function formatPlan(steps: readonly Step[]): string {
  if (steps.length === 0) return 'nothing to do';
  const lines = steps.map((step) => `${signs[step.op]} ${step.key}${details(step)}${effects[step.effect]}`);
  const count = (what: (step: Step) => boolean): number => steps.filter(what).length;
  const parts = [
    `${count((s) => s.op === 'create')} to create`,
    `${count((s) => s.op === 'update')} to update`,
    `${count((s) => s.op === 'delete')} to delete`,
    `${count((s) => s.effect === 'rehandshake')} with a new handshake`,
    `${count((s) => s.effect === 'interrupt')} interrupting`,
  ];
  return `${lines.join('\n')}\n${steps.length} ${steps.length === 1 ? 'step' : 'steps'}: ${parts.join(', ')}`;
}

function details(step: Step): string {
  switch (step.op) {
    case 'delete':
      return '';
    case 'create':
      return names(step.object)
        .map((name) => `  ${name}=${show(fieldOf(step.object, name))}`)
        .join('');
    case 'update':
      return step.changed
        .map((name) => `  ${name}: ${show(fieldOf(step.before, name))} -> ${show(fieldOf(step.object, name))}`)
        .join('');
  }
}

function names(object: PlaneObject): readonly string[] {
  return Object.entries(objectKinds[object.kind].fields)
    .filter(([name, of]) => of !== 'key' && fieldOf(object, name) !== undefined)
    .map(([name]) => name);
}

function show(value: unknown): string {
  if (isSecret(value)) return `secret(${value.fingerprint.slice(0, 8)})`;
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return String(value ?? 'none');
  return Object.entries(value)
    .filter(([, part]) => part !== null)
    .map(([name, part]) => (name === 'type' ? show(part) : `${name} ${show(part)}`))
    .join(' ');
}
