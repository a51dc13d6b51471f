/**
 * The picture of the graph as data: who may hand rows to whom. The order in which nodes run is computed from it once.
 */
export const graphPlan = {
  'wireguard-input': ['ip-input'],
  'ip-input': ['ip-lookup'],
  'ip-lookup': ['local', 'ip-rewrite'],
  // A reply made here is looked up like any packet: the one way back.
  local: ['ip-lookup'],
  'ip-rewrite': ['link-output'],
  'link-output': ['wireguard-output'],
  'wireguard-output': [],
} as const;

export type NodeName = keyof typeof graphPlan;

/** Whether packets come into the graph here: no other node hands rows to it. */
export function isEntry(name: NodeName): boolean {
  return !Object.values(graphPlan).some((nexts: readonly string[]) => nexts.includes(name));
}

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
