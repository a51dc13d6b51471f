/** A vrouter as a file of `apply` says it: all of its own fields, and of what is below it those that are not the default. Pure. */
import { createFloatingIpRequest } from '@vrouter/api/rest/floating-ips.ts';
import { createHostInterfaceRequest } from '@vrouter/api/rest/host-interfaces.ts';
import { createMasqueradeRequest, createPublishedPortRequest } from '@vrouter/api/rest/nat.ts';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createPortRequest } from '@vrouter/api/rest/ports.ts';
import { createRouteRequest } from '@vrouter/api/rest/routes.ts';
import { canonicalJson, type Json } from '@vrouter/core/json.ts';
import { Document, isMap, isNode, type YAMLMap } from 'yaml';
import { type Fields, type Kind, type Present, partKinds, sections, type Whole } from '../apply/things.ts';

type FileVrouter = { [word: string]: Json };

interface Shaped {
  readonly shape: { readonly [field: string]: { safeParse(value: unknown): { readonly data?: unknown } } };
}

/** Where defaults come from: of the fields of these, those that are their default need not be said. */
const schemas: { readonly [K in Kind]?: Shaped } = {
  hostInterface: createHostInterfaceRequest,
  port: createPortRequest,
  peer: createPeerRequest,
  route: createRouteRequest,
  masquerade: createMasqueradeRequest,
  publishedPort: createPublishedPortRequest,
  floatingIp: createFloatingIpRequest,
};

/** `{vrouters: {edge-1: ...}}` in YAML, with a comment where a preshared key was left out. */
export function fileText(whole: Whole<Present>): string {
  const document = new Document({ vrouters: { [whole.name]: fileOf(whole) } }, { aliasDuplicateObjects: false });
  const peers = document.getIn(['vrouters', whole.name, sections.peer]);
  for (const { kind, id, fields } of whole.parts.values()) {
    if (kind !== 'peer' || fields.presharedKey === undefined || !isMap(peers)) continue;
    const peer = (peers as YAMLMap).get(id, true);
    if (isNode(peer)) peer.commentBefore = ' its presharedKey is not exported: left out, it stays as it is';
  }
  return document.toString({ lineWidth: 120 });
}

/** The same as plain values. */
export function fileOf(whole: Whole<Present>): FileVrouter {
  const file: FileVrouter = { ...whole.own!.fields };
  for (const kind of partKinds) {
    const parts = [...whole.parts.values()].filter((part) => part.kind === kind && !part.usual);
    if (parts.length === 0) continue;
    const said = parts.map(({ fields }) => saidOf(kind, fields));
    if (kind === 'natSettings') file[sections[kind]] = said[0]!;
    else if (['route', 'masquerade', 'publishedPort'].includes(kind)) file[sections[kind]] = said;
    else file[sections[kind]] = Object.fromEntries(parts.map(({ id }, i) => [id, said[i]!]));
  }
  return file;
}

function saidOf(kind: Kind, { presharedKey: _secret, ...fields }: Fields): { readonly [field: string]: Json } {
  const shape = schemas[kind]?.shape;
  const said = Object.entries(fields).filter(([field, value]) => {
    const usual = shape?.[field]?.safeParse(undefined).data;
    return usual === undefined || canonicalJson(usual) !== canonicalJson(value);
  });
  return Object.fromEntries(said);
}
