import type { VrfIntent } from '../model/intents.ts';
import type { CompileContext, Compiled } from './context.ts';

/** The table that exists on every plane and that nobody creates or deletes. */
export const DEFAULT_VRF = 'default';

export function compileVrf(intent: VrfIntent, context: CompileContext): Compiled {
  if (intent.name === DEFAULT_VRF) return { objects: [], problems: [], usable: true };
  const tableId = context.tableId(intent.name);
  return { objects: [{ kind: 'vrf', name: intent.name, tableId }], problems: [], usable: true };
}
