/** The calls that make a write true: their paths and bodies, and what of the answers is used. */
import type { Json } from '@vrouter/core/json.ts';
import { type Controller, pathOf } from '../clients/controller.ts';
import type { Schema } from '../clients/reply.ts';
import type { Step } from './compare.ts';
import { revealed } from './fingerprint.ts';
import type { Kind, Thing, Wanted } from './things.ts';

/** What a write came to. */
export interface Made {
  /** Null where the answer names none. */
  readonly version: number | null;
  /** Tag of what was changed. */
  readonly etag: string | null;
}

/** Any answer; a version and an etag where there are some. */
const made: Schema<Made> = {
  safeParse(value) {
    if (typeof value !== 'object' || value === null) return { success: false, error: { message: 'no object' } };
    const answer = value as { readonly [name: string]: unknown };
    const thing = Object.values(answer).find((one) => typeof one === 'object' && one !== null && 'etag' in one) as
      | { readonly etag?: unknown }
      | undefined;
    return {
      success: true,
      data: {
        version: typeof answer.version === 'number' ? answer.version : null,
        etag: typeof thing?.etag === 'string' ? thing.etag : null,
      },
    };
  },
};

const collections: { readonly [K in Kind]: string } = {
  vrouter: '',
  vrf: 'vrfs',
  hostInterface: 'host-interfaces',
  port: 'ports',
  peer: 'peers',
  route: 'routes',
  masquerade: 'masquerades',
  publishedPort: 'published-ports',
  floatingIp: 'floating-ips',
  natSettings: 'nat-settings',
};

/** Makes it, once however often the connection breaks. NAT settings are always there and are changed. */
export async function sendCreate(controller: Controller, wanted: Wanted): Promise<Made> {
  const path = wanted.kind === 'vrouter' ? '/v1/vrouters' : collectionOf(wanted);
  if (wanted.kind === 'natSettings') return (await controller.patch(path, wanted.fields, made)).data;
  return (await controller.create(path, bodyOf(wanted), made)).data;
}

export async function sendChange(controller: Controller, step: Step, etag: string): Promise<Made> {
  const { present } = step;
  return (await controller.patch(pathTo(present!), changeOf(step), made, etag)).data;
}

/** Lets go of prefixes alone. */
export async function sendRelease(controller: Controller, { present, wanted }: Step, etag: string): Promise<Made> {
  const kept = listOf(present!.fields.allowedIps).filter((prefix) =>
    listOf(wanted!.fields.allowedIps).includes(prefix),
  );
  return (await controller.patch(pathTo(present!), { allowedIps: kept }, made, etag)).data;
}

export async function sendDelete(controller: Controller, thing: Thing, etag: string): Promise<Made> {
  return (await controller.delete(pathTo(thing), made, etag)).data;
}

/** The body of a creation. */
function bodyOf({ kind, id, fields, secret }: Wanted): { readonly [name: string]: Json } {
  const { presharedKey: _fingerprint, ...rest } = fields;
  const named = kind === 'route' || kind === 'masquerade' || kind === 'publishedPort';
  return {
    ...(named ? {} : kind === 'floatingIp' ? { id } : { name: id }),
    ...rest,
    ...(secret === null ? {} : { presharedKey: revealed(secret) }),
  };
}

function changeOf({ changes, wanted }: Step): { readonly [name: string]: Json } {
  const secret = wanted!.secret === null ? null : revealed(wanted!.secret);
  return Object.fromEntries(
    changes.map(({ field, new: value }) => [field, field === 'presharedKey' ? secret : (value as Json)]),
  );
}

function pathTo(thing: Thing): string {
  const { kind, vrouter, id, fields } = thing;
  const { vrf, prefix, hostAddress, protocol, hostPort } = fields;
  const all = collectionOf(thing);
  switch (kind) {
    case 'vrouter':
      return pathOf`/v1/vrouters/${vrouter}`;
    case 'natSettings':
      return all;
    case 'route':
      return `${all}?vrf=${encodeURIComponent(String(vrf))}&prefix=${encodeURIComponent(String(prefix))}`;
    case 'masquerade':
      return all + pathOf`/${String(vrf)}/${String(prefix)}`;
    case 'publishedPort':
      return all + pathOf`/${String(vrf)}/${String(hostAddress ?? '*')}/${String(protocol)}/${String(hostPort)}`;
    default:
      return all + pathOf`/${id}`;
  }
}

function collectionOf({ kind, vrouter }: Pick<Thing, 'kind' | 'vrouter'>): string {
  return `${pathOf`/v1/vrouters/${vrouter}`}/${collections[kind]}`;
}

function listOf(value: Json | undefined): readonly Json[] {
  return (value ?? []) as readonly Json[];
}
