/** What a file and a controller both speak of: things with a kind, a vrouter, an id within it, and fields in the words of REST. */
import type { Json } from '@vrouter/core/json.ts';
import type { Secret } from '@vrouter/core/secret.ts';

/** Those below a vrouter have a section in its part of the file. */
export const sections = {
  vrf: 'vrfs',
  hostInterface: 'hostInterfaces',
  port: 'ports',
  peer: 'peers',
  route: 'routes',
  masquerade: 'masquerades',
  publishedPort: 'publishedPorts',
  floatingIp: 'floatingIps',
  natSettings: 'natSettings',
} as const;

export type PartKind = keyof typeof sections;
export type Kind = 'vrouter' | PartKind;

export const partKinds = Object.keys(sections) as readonly PartKind[];

/** In sentences. */
export const nouns: { readonly [K in Kind]: readonly [one: string, many: string] } = {
  vrouter: ['vrouter', 'vrouters'],
  vrf: ['VRF', 'VRFs'],
  hostInterface: ['host interface', 'host interfaces'],
  port: ['port', 'ports'],
  peer: ['peer', 'peers'],
  route: ['route', 'routes'],
  masquerade: ['masquerade', 'masquerades'],
  publishedPort: ['published port', 'published ports'],
  floatingIp: ['floating address', 'floating addresses'],
  natSettings: ['NAT settings', 'NAT settings'],
};

export type Fields = { readonly [name: string]: Json };

export interface Thing {
  readonly kind: Kind;
  readonly vrouter: string;
  /** Unique within kind and vrouter: a name, or what stands for one (`default 10.0.0.0/8`). */
  readonly id: string;
  /** In the one form that equal things share; a preshared key as its fingerprint. */
  readonly fields: Fields;
}

/** Where something stands in a file. */
export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** As a file says it. Fields that it leaves out and that are not compared are not there. */
export interface Wanted extends Thing {
  /** Null: it is no file's, but what there was, put back. */
  readonly place: Place | null;
  /** The preshared key. */
  readonly secret: Secret | null;
}

/** As the controller has it. */
export interface Present extends Thing {
  readonly etag: string;
  /** Of a peer: the addresses that the controller gave it. */
  readonly addresses: readonly string[];
  /** Settings that nobody said: the usual ones. */
  readonly usual: boolean;
}

/** A vrouter and what is below it. */
export interface Whole<T extends Thing> {
  readonly name: string;
  /** Null: the controller has none of this name. */
  readonly own: T | null;
  /** By `keyOf`. */
  readonly parts: ReadonlyMap<string, T>;
}

export function keyOf({ kind, id }: Pick<Thing, 'kind' | 'id'>): string {
  return `${kind}/${id}`;
}

/** What of its fields names a thing that has no name. */
export function idOf(kind: PartKind, fields: Fields): string {
  const { vrf, prefix, protocol, hostAddress, hostPort } = fields;
  if (kind === 'route' || kind === 'masquerade') return `${vrf} ${prefix}`;
  if (kind === 'publishedPort') return `${vrf} ${protocol}/${hostAddress ?? '*'}:${hostPort}`;
  return 'default';
}

/** `peer phone`, `route 10.0.0.0/8 in blue`, `NAT settings`: its vrouter is named beside it. */
export function titleOf({ kind, id }: Pick<Thing, 'kind' | 'id'>): string {
  const [noun] = nouns[kind];
  if (kind === 'natSettings') return noun;
  const [vrf, rest] = id.split(' ');
  if (rest === undefined) return `${noun} ${id}`;
  return vrf === 'default' ? `${noun} ${rest}` : `${noun} ${rest} in ${vrf}`;
}
