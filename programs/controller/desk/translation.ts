/** What only some planes translate is refused unless the gateway has told that it is on one of those. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FloatingIpIntent, MasqueradeIntent, PublishedPortIntent } from '@vrouter/intent/model/intents.ts';
import type { Desk } from './desk.ts';

/** Of these, userspace translates IPv4, TCP and UDP alone. */
const MORE = 'linux';

/** Throws `intent.unsupported` with the field. */
export function requireTranslation(
  desk: Desk,
  vrouterId: string,
  intent: MasqueradeIntent | PublishedPortIntent | FloatingIpIntent,
): void {
  const field = fieldBeyond(intent);
  if (field === null || desk.roster.of(vrouterId)?.row.plane === MORE) return;
  const what = field === 'protocol' ? 'SCTP' : 'IPv6';
  const how = `only a gateway with "plane: ${MORE}" translates ${what}, and this vrouter has none that has polled`;
  throw new ProblemError(problem('intent.unsupported', how, field));
}

/** The first field that asks for more than IPv4, TCP and UDP; null: none. */
function fieldBeyond(intent: MasqueradeIntent | PublishedPortIntent | FloatingIpIntent): string | null {
  switch (intent.kind) {
    case 'masquerade':
      return intent.prefix.includes(':') ? 'prefix' : null;
    case 'floatingIp':
      return intent.address.includes(':') ? 'address' : null;
    case 'publishedPort':
      if (intent.protocol === 'sctp') return 'protocol';
      return intent.address.includes(':') ? 'address' : null;
  }
}
