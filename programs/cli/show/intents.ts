/** `vrouterctl show intents`: what is said on this host. */
import type { IntentsReply } from '@vrouter/api/gateway/intents.ts';
import { table } from '@vrouter/core/table.ts';

export function intentsText({ intents }: IntentsReply): string {
  const rows = intents.map(({ key, source, problems }) => [
    key,
    source,
    problems.map(({ message }) => message).join('; ') || null,
  ]);
  return table(['INTENT', 'SAID BY', 'PROBLEM'], rows, 'nothing is said on this host');
}
