/** What a change is judged by: what is asked for, what is said, and what the host has. */
import type { intentChange } from '@vrouter/api/gateway/intents.ts';
import type { IntentKey, IntentSource, SourcedIntent } from '@vrouter/intent/model/intents.ts';
import type { z } from 'zod';
import type { Listener } from '../../intents/listeners.ts';
import type { HostNetwork } from './host-networks.ts';

export const SOURCE: IntentSource = 'cli';

export type Request = z.output<typeof intentChange>;

export interface Known {
  /** What all sources say. */
  readonly said: readonly SourcedIntent[];
  /** Keys of what is stored of `cli` and cannot be read. */
  readonly unreadable: readonly IntentKey[];
  /** Looked at once in a change, and only if it is asked for. */
  readonly host: () => readonly HostNetwork[];
  readonly listeners: () => readonly Listener[];
}

export function sourceText(source: IntentSource): string {
  switch (source) {
    case 'controller':
      return 'the controller';
    case 'file':
      return 'the configuration file';
    case 'cli':
      return 'vrouterctl';
    case 'wg':
      return 'wg(8)';
    case 'router':
      return 'a client of the router service';
  }
}
