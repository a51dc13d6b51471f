/** What a preview says besides steps: what is not the plane's, and what only the gateway can know. */
import { PREVIEW_ROWS_MAX } from '@vrouter/api/rest/preview.ts';
import type { Gateway } from '../agents/gateway.ts';
import type { DryRun } from '../desired/dry-run.ts';

/** Intents that a gateway obeys only when its own file says so. */
const OF_THE_MACHINE = ['hostInterface', 'port'] as const;

/** Sentences, the weightiest first. */
export function notesOf({ before, after, ops, action }: DryRun, gateway: Gateway | undefined): string[] {
  const notes: string[] = [];
  const { name } = before;
  if (after === null) notes.push(`${name} and all that is in it would be gone, its join strings too`);
  if (gateway !== undefined && (after === null || action === 'gateway.revoke'))
    notes.push('its gateway would be refused from then on; it goes on forwarding with what it knows');
  if (action === 'token.create' || action === 'vrouter.create')
    notes.push('a join string would be made, and shown once');
  if (after !== null && after.endpoint !== before.endpoint)
    notes.push(`peers would find it at ${after.endpoint}; the files that they have say ${before.endpoint}`);
  if (action === 'shrink.confirm' && gateway !== undefined)
    notes.push(
      gateway.holding === null
        ? 'its gateway holds nothing back'
        : `its gateway would do what it holds back: ${gateway.holding.reason}`,
    );
  if (ops.length === 0) return notes;
  for (const kind of OF_THE_MACHINE)
    if (ops.some(({ key, body }) => body !== null && key.startsWith(`${kind}/`)))
      notes.push(`a gateway obeys this only if its own file says "allow: { ${kind}: true }"`);
  if (gateway === undefined) notes.push('no gateway has joined yet: the steps are for the one that will');
  else if (!gateway.connected) notes.push('its gateway is away, and hears of it when it is back');
  const stored = gateway?.row.storedVersion ?? before.version;
  if (stored < before.version && gateway?.lost !== true)
    notes.push(`its gateway has version ${stored}: what came since goes along with this`);
  if (ops.length > PREVIEW_ROWS_MAX)
    notes.push(`only the first ${PREVIEW_ROWS_MAX} of operations and steps are listed; the counts are of all`);
  return notes;
}
