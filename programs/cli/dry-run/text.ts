/** A preview for people: what would be said, what the gateway would do, and what of it they should know. */
import type { GatewayPreview, PreviewReply, PreviewStep, TrafficEffect } from '@vrouter/api/rest/preview.ts';
import { plain, table } from '@vrouter/core/table.ts';

const effects: { readonly [E in TrafficEffect]: string } = {
  none: 'traffic goes on',
  rehandshake: 'new handshake',
  interrupt: 'CUTS OFF',
};

const verdicts: { readonly [E in TrafficEffect]: string } = {
  none: 'traffic goes on as it is',
  rehandshake: 'traffic goes on, after new handshakes',
  interrupt: 'some traffic is cut off',
};

export function previewText({ gateways }: PreviewReply): string {
  return gateways.map(gatewayText).join('\n\n');
}

function gatewayText(preview: GatewayPreview): string {
  const { vrouter, counts, operations, steps, problems, interlock, notes } = preview;
  const parts = [`${plain(vrouter)}: ${versions(preview)}; nothing is changed yet`];
  if (operations.length > 0)
    parts.push(
      more(
        table(
          ['CHANGE', 'INTENT'],
          operations.map(({ op, key }) => [op, key]),
          '',
        ),
        operations.length,
        counts.operations,
      ),
    );
  if (steps.length > 0) parts.push(more(stepsTable(steps), steps.length, counts.steps));
  if (problems.length > 0) {
    const rows = problems.map(({ key, code, message, isNew }) => [isNew ? 'new' : 'before', key, code, message]);
    parts.push(table(['PROBLEM', 'OF', 'CODE', 'WHY'], rows, ''));
  }
  parts.push(verdict(preview));
  if (interlock.held)
    parts.push(
      `the gateway would hold it back: ${plain(interlock.reason ?? '')}; vrouterctl vrouter confirm ${plain(vrouter)} then lets it go`,
    );
  if (notes.length > 0) parts.push(notes.map((note) => `note: ${plain(note)}`).join('\n'));
  return parts.join('\n\n');
}

function versions({ from, to }: GatewayPreview): string {
  if (to === null) return `version ${from}, and then it is gone`;
  return from === to ? `version ${from} stays` : `version ${from} -> ${to}`;
}

function verdict({ effect, counts, stepsFrom }: GatewayPreview): string {
  if (stepsFrom === null) return 'what the gateway would do cannot be told: what it has is not known here';
  return verdictOf(effect, counts);
}

export function stepsTable(steps: readonly Omit<PreviewStep, 'changed'>[]): string {
  const rows = steps.map(({ op, key, effect, text }) => [op, key, effects[effect], text]);
  return table(['STEP', 'OBJECT', 'TRAFFIC', 'WHAT HAPPENS'], rows, '');
}

/** `4 steps, 1 with a new handshake, 2 cutting off: some traffic is cut off` */
export function verdictOf(effect: TrafficEffect, counts: Omit<GatewayPreview['counts'], 'operations'>): string {
  if (counts.steps === 0) return 'nothing for the gateway to do: traffic goes on as it is';
  const parts = [
    `${counts.steps} ${counts.steps === 1 ? 'step' : 'steps'}`,
    ...(counts.rehandshake === 0 ? [] : [`${counts.rehandshake} with a new handshake`]),
    ...(counts.interrupt === 0 ? [] : [`${counts.interrupt} cutting off`]),
  ];
  return `${parts.join(', ')}: ${verdicts[effect]}`;
}

function more(text: string, shown: number, all: number): string {
  return all > shown ? `${text}\n... and ${all - shown} more` : text;
}
