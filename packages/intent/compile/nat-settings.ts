import type { NatSettingsIntent } from '../model/intents.ts';
import type { Compiled } from './context.ts';

/** The settings of the plane are those that were said. */
export function compileNatSettings(intent: NatSettingsIntent): Compiled {
  return { objects: [{ ...intent }], problems: [], usable: true };
}
