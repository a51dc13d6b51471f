/** Whole states to move between, chosen for what is hard on the way: handovers, swaps, replacements, all and nothing. */
import type { PlaneObject } from '@vrouter/intent/model/objects.ts';
import * as s from './samples.ts';

interface World {
  readonly name: string;
  readonly objects: readonly PlaneObject[];
}

const peer = (number: number, ...allowedIps: readonly string[]): PlaneObject =>
  s.peer({ publicKey: s.samplePeer(number), allowedIps, presharedKey: null, endpoint: null });
const gateway = [s.link(), s.device(), s.address()];
const many = (count: number): readonly PlaneObject[] =>
  Array.from({ length: count }, (_, i) => s.route(`10.${100 + (i >> 8)}.${i & 255}.0/24`));

const nothing: World = { name: 'nothing', objects: [] };
const hub: World = {
  name: 'a hub',
  objects: [...gateway, peer(70, '10.66.0.2/32', '10.66.1.0/24'), peer(71, '10.66.2.0/24'), s.route(), ...many(300)],
};
const swapped: World = {
  name: 'a hub with prefixes swapped',
  objects: [...gateway, peer(70, '10.66.2.0/24'), peer(71, '10.66.0.2/32', '10.66.1.0/24'), ...many(200)],
};
const handedOver: World = {
  name: 'a hub where a new peer has all',
  objects: [...gateway, peer(69, '10.66.0.2/32', '10.66.1.0/24', '10.66.2.0/24'), s.route()],
};
const table = (tableId: number): World => ({
  name: `a VRF in table ${tableId}`,
  objects: [
    s.vrf('contract', tableId),
    s.link({ vrf: 'contract' }),
    s.device(),
    s.address(),
    peer(70, '10.66.0.2/32'),
    s.route('10.66.0.0/24', { vrf: 'contract' }),
    s.route('10.9.0.0/16', { vrf: 'contract', via: { type: 'blackhole' } }),
  ],
});

export const worlds: readonly (readonly [World, World])[] = [
  [nothing, hub],
  [hub, swapped],
  [hub, handedOver],
  [hub, table(1501)],
  [table(1501), table(1502)],
];
