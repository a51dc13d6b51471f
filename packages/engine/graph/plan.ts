/**
 * The picture of the graph as data: who may hand rows to whom. The order in which nodes run is computed from it once.
 */
export const graphPlan = {
  'wireguard-input': ['ip-input'],
  'ip-input': ['ip-lookup'],
  'ip-lookup': ['nat-in', 'local', 'ip-rewrite'],
  // A packet whose destination has become an inside one is looked up again: a way back.
  'nat-in': ['ip-lookup', 'local'],
  // A reply made here is looked up like any packet: a way back too.
  local: ['ip-lookup'],
  'ip-rewrite': ['nat-out', 'link-output'],
  'nat-out': ['link-output'],
  'link-output': ['wireguard-output'],
  'wireguard-output': [],
} as const;

export type NodeName = keyof typeof graphPlan;

/** Nodes such that each stands behind those that feed it, ways back aside (depth first, the last finished comes first). */
export function nodeOrder(plan: { readonly [node: string]: readonly string[] }, start: string): readonly string[] {
  const seen = new Set<string>();
  const finished: string[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of plan[name] ?? []) visit(next);
    finished.push(name);
  };
  visit(start);
  return finished.reverse();
}
