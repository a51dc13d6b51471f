/**
 * The picture of the graph as data: who may hand rows to whom. The order in which nodes run is computed from it once.
 */
export const graphPlan = {
  'wireguard-input': ['ip-input'],
  'tun-input': ['ip-input'],
  'ethernet-input': ['ip-input', 'neighbour-input'],
  // What the minds of the ports gave up comes in here.
  'neighbour-lost': ['icmp-error'],
  'neighbour-input': [],
  'ip-input': ['source-check', 'ip-lookup'],
  'source-check': ['ip-lookup'],
  'ip-lookup': ['nat-in', 'local', 'ip-rewrite', 'icmp-error'],
  // A packet whose destination has become an inside one is looked up again, and replies and errors made here are looked up like any
  // packet: the ways back.
  'nat-in': ['ip-lookup', 'local'],
  local: ['icmp-error', 'ip-lookup'],
  'ip-rewrite': ['nat-out', 'link-output', 'icmp-error'],
  'nat-out': ['link-output'],
  'link-output': ['wireguard-output', 'tun-output', 'ethernet-output', 'icmp-error'],
  'wireguard-output': ['icmp-error'],
  'tun-output': [],
  'ethernet-output': ['icmp-error'],
  'icmp-error': ['ip-lookup'],
} as const;

export type NodeName = keyof typeof graphPlan;

/** Nodes that take what a port has received; where packets enter. */
export const inputNodes = [
  'wireguard-input',
  'tun-input',
  'ethernet-input',
  'neighbour-lost',
] as const satisfies readonly NodeName[];
export type InputNode = (typeof inputNodes)[number];

/** Nodes that hand packets to a port; where they leave, but for those that an error answers. */
export const outputNodes = ['wireguard-output', 'tun-output', 'ethernet-output'] as const satisfies readonly NodeName[];

export function isOneOf(names: readonly NodeName[], name: NodeName): boolean {
  return names.includes(name);
}

/** Nodes such that each stands behind those that feed it, ways back aside (depth first, the last finished comes first). */
export function nodeOrder(
  plan: { readonly [node: string]: readonly string[] },
  ...starts: readonly string[]
): readonly string[] {
  const seen = new Set<string>();
  const finished: string[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const next of plan[name] ?? []) visit(next);
    finished.push(name);
  };
  for (const start of starts) visit(start);
  return finished.reverse();
}
