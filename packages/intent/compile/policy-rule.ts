import type { PolicyRuleIntent } from '../model/intents.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noInterface, noVrf } from './missing.ts';

export function compilePolicyRule(intent: PolicyRuleIntent, context: CompileContext): Compiled {
  const { vrf, priority, source, destination, incoming, mark } = intent;
  if (!context.hasVrf(vrf)) return pending(noVrf(vrf));
  if (incoming !== null && context.anyInterface(incoming) === null)
    return pending({ ...noInterface(incoming), field: 'incoming' });
  const match = { source, destination, incoming, mark };
  return { objects: [{ kind: 'rule', vrf, priority, match }], problems: [], usable: true };
}
