/** What each step does to traffic that is flowing. One table, so that a dry run says the same on every plane. */
import { sourceChecks } from '../model/intents.ts';
import type { ObjectKind, PlaneObject } from '../model/objects.ts';
import type { Effect } from './step.ts';

const strength: { readonly [E in Effect]: number } = { none: 0, rehandshake: 1, interrupt: 2 };

/** What changing one field does; a function where it depends on from what to what. */
type FieldEffect<O> = Effect | ((before: O, after: O) => Effect);
type FieldEffects<O> = { readonly [F in keyof O]?: FieldEffect<O> };

const onUpdate: { readonly [K in ObjectKind]: FieldEffects<Extract<PlaneObject, { kind: K }>> } = {
  vrf: { tableId: 'interrupt' },
  sysctl: { value: 'none' },
  isolation: { internal: (_before, after) => (after.internal ? 'interrupt' : 'none') },
  dnsZone: {
    link: 'interrupt',
    listen: (before, after) => losing(before.listen, after.listen),
    domain: 'none',
    upstreams: 'none',
  },
  dnsRecord: {},
  rule: { match: 'interrupt' },
  neighbour: { mac: 'none' },
  link: {
    type: 'interrupt',
    vrf: 'interrupt',
    mtu: 'none',
    adminUp: (_before, after) => (after.adminUp ? 'none' : 'interrupt'),
    mssClamp: 'none',
    sourceCheck: (before, after) =>
      sourceChecks.indexOf(after.sourceCheck) > sourceChecks.indexOf(before.sourceCheck) ? 'interrupt' : 'none',
    hostAddresses: (before, after) => losing(before.hostAddresses, after.hostAddresses),
    device: 'interrupt',
    mac: 'interrupt',
    vlanId: 'interrupt',
    bridge: 'interrupt',
    parent: 'interrupt',
    mode: 'interrupt',
    peer: 'interrupt',
    vni: 'interrupt',
    local: 'interrupt',
    remote: 'interrupt',
    udpPort: 'interrupt',
    hostRoutes: (before, after) => losing(before.hostRoutes, after.hostRoutes),
  },
  // Peers notice by themselves that the port or the key is another only when they hear from us: a handshake tells them.
  wireguardDevice: { listenPort: 'rehandshake', privateKey: 'rehandshake' },
  wireguardPeer: {
    presharedKey: 'rehandshake',
    allowedIps: (before, after) => losing(before.allowedIps, after.allowedIps),
    persistentKeepalive: 'none',
  },
  address: {},
  // What lives goes on as it was given; newcomers meet the limits.
  natSettings: {},
  // Sessions of a rule end with what made them.
  natPool: { addresses: 'interrupt', ports: 'none' },
  natRule: { vrf: 'interrupt', match: 'interrupt', to: 'interrupt', hairpin: 'interrupt' },
  route: { via: (_before, after) => (after.via.type === 'blackhole' ? 'interrupt' : 'none') },
};

/** Taking something away interrupts whoever used it. */
export const DELETE_EFFECT: Effect = 'interrupt';
/** Something new harms nobody: whatever it needed from others is a step of its own. */
export const CREATE_EFFECT: Effect = 'none';

/** The strongest effect among the fields that change. */
export function updateEffect(before: PlaneObject, after: PlaneObject, changed: readonly string[]): Effect {
  const effects = onUpdate[after.kind] as { readonly [field: string]: FieldEffect<PlaneObject> | undefined };
  let worst: Effect = 'none';
  for (const name of changed) {
    const rule = effects[name] ?? 'none';
    const effect = typeof rule === 'function' ? rule(before, after) : rule;
    if (strength[effect] > strength[worst]) worst = effect;
  }
  return worst;
}

/** More harms nobody; whoever used what is gone is cut off. */
function losing(before: readonly string[] = [], after: readonly string[] = []): Effect {
  return isWithin(before, after) ? 'none' : 'interrupt';
}

function isWithin(part: readonly string[], whole: readonly string[]): boolean {
  const all = new Set(whole);
  return part.every((one) => all.has(one));
}
