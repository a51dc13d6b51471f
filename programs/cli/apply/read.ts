/** Files of `apply`: what they want of which vrouters, checked with the schemas of REST; or every mistake in them, with its line. */
import { createFloatingIpRequest } from '@vrouter/api/rest/floating-ips.ts';
import { createHostInterfaceRequest } from '@vrouter/api/rest/host-interfaces.ts';
import { createMasqueradeRequest, createPublishedPortRequest } from '@vrouter/api/rest/nat.ts';
import { changeNatSettingsRequest } from '@vrouter/api/rest/nat-settings.ts';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createPortRequest } from '@vrouter/api/rest/ports.ts';
import { createRouteRequest, createVrfRequest } from '@vrouter/api/rest/routes.ts';
import { changeVrouterRequest, createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { secretOf } from './fingerprint.ts';
import { canonicalFields, canonicalName, checkTogether } from './forms.ts';
import {
  idOf,
  type Kind,
  keyOf,
  type PartKind,
  type Place,
  partKinds,
  sections,
  titleOf,
  type Wanted,
  type Whole,
} from './things.ts';
import { type Located, placeAt, plainOf, readYaml } from './yaml.ts';

export interface Mistake {
  readonly place: Place;
  readonly code: ProblemCode;
  readonly message: string;
  /** `vrouters.edge-1.peers.phone.allowedIps[0]`; '' when it is the file itself. */
  readonly field: string;
}

/** A text and what it is called: a path, or `-`. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

export interface Read {
  readonly vrouters: readonly Whole<Wanted>[];
  /** In the order of files and lines; when there is one, nothing is to be done with the rest. */
  readonly mistakes: readonly Mistake[];
}

interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** What is used of a schema. */
interface EntrySchema {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: { readonly [name: string]: unknown } }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
}

/** Of the vrouter itself and its NAT settings, which are there anyway, what is left out stays; of the rest it has its default. */
const schemas: { readonly [K in Kind]: EntrySchema } = {
  vrouter: changeVrouterRequest.extend({ vrf: createVrouterRequest.shape.vrf.unwrap().optional() }),
  vrf: createVrfRequest.omit({ name: true }),
  hostInterface: createHostInterfaceRequest.omit({ name: true }),
  port: createPortRequest.omit({ name: true }),
  peer: createPeerRequest.omit({ name: true }),
  route: createRouteRequest,
  masquerade: createMasqueradeRequest,
  publishedPort: createPublishedPortRequest,
  floatingIp: createFloatingIpRequest.omit({ id: true }),
  natSettings: changeNatSettingsRequest,
};

/** Kinds that have no name and stand in a list. */
const listed: readonly PartKind[] = ['route', 'masquerade', 'publishedPort'];

/** The same vrouter may be in several files and documents, as long as nothing is said twice. */
export function readSources(sources: readonly Source[]): Read {
  const reader = new Reader();
  for (const { file, text } of sources) {
    const { documents, mistakes } = readYaml(text, file);
    for (const { place, message } of mistakes) reader.refuse(place, '', message, 'config.invalid');
    if (mistakes.length === 0) for (const document of documents) reader.document(document);
  }
  const order = new Map(sources.map(({ file }, i) => [file, i]));
  const at = ({ place }: Mistake): number => order.get(place.file)!;
  const mistakes = reader.mistakes.sort(
    (a, b) => at(a) - at(b) || a.place.line - b.place.line || a.place.column - b.place.column,
  );
  return { vrouters: [...reader.vrouters.values()], mistakes };
}

interface Draft {
  readonly name: string;
  own: Wanted;
  readonly parts: Map<string, Wanted>;
}

class Reader {
  readonly vrouters = new Map<string, Draft>();
  readonly mistakes: Mistake[] = [];

  refuse(place: Place, field: string, message: string, code: ProblemCode = 'input.invalid'): void {
    this.mistakes.push({ place, code, message, field });
  }

  document(root: Located): void {
    for (const [word, value, at] of this.#map(root, '')) {
      if (word !== 'vrouters') {
        this.refuse(at, word, `there is no "${word}" here, only: vrouters`);
        continue;
      }
      for (const [name, body, place] of this.#map(value, word)) this.#vrouter(name, body, place);
    }
  }

  #vrouter(name: string, body: Located, place: Place): void {
    const path = `vrouters.${name}`;
    if (!this.#isName('vrouter', name, place, path)) return;
    const there = this.vrouters.get(name);
    const draft: Draft = there ?? {
      name,
      own: { kind: 'vrouter', vrouter: name, id: name, fields: {}, place, secret: null },
      parts: new Map(),
    };
    this.vrouters.set(name, draft);
    const own = new Map<string, { key: { place: Place }; value: Located }>();
    for (const [word, value, at] of this.#map(body, path)) {
      const kind = partKinds.find((one) => sections[one] === word);
      if (kind === undefined) own.set(word, { key: { place: at }, value });
      else this.#section(draft, kind, value, `${path}.${word}`);
    }
    const entry = this.#entry('vrouter', { place, kind: 'map', entries: own }, path);
    if (entry === null) return;
    for (const field of Object.keys(entry.fields))
      if (Object.hasOwn(draft.own.fields, field))
        this.refuse(own.get(field)!.key.place, `${path}.${field}`, `this is said twice of ${name}`);
    draft.own = { ...draft.own, fields: { ...draft.own.fields, ...entry.fields } };
  }

  #section(draft: Draft, kind: PartKind, section: Located, path: string): void {
    if (kind === 'natSettings') {
      this.#part(draft, kind, null, section, section.place, path);
    } else if (listed.includes(kind)) {
      if (isNothing(section)) return;
      if (section.kind !== 'list') {
        this.refuse(section.place, path, 'this is a list');
        return;
      }
      for (const [i, item] of section.items.entries()) this.#part(draft, kind, null, item, item.place, `${path}[${i}]`);
    } else {
      for (const [name, body, place] of this.#map(section, path))
        this.#part(draft, kind, name, body, place, `${path}.${name}`);
    }
  }

  /** `name`: null where the fields say what it is. */
  #part(draft: Draft, kind: PartKind, name: string | null, body: Located, place: Place, path: string): void {
    const entry = this.#entry(kind, body, path);
    if (name !== null && !this.#isName(kind, name, place, path)) return;
    if (entry === null) return;
    const part: Wanted = {
      kind,
      vrouter: draft.name,
      id: name ?? idOf(kind, entry.fields),
      fields: entry.fields,
      place,
      secret: entry.secret,
    };
    const other = draft.parts.get(keyOf(part));
    if (other === undefined) draft.parts.set(keyOf(part), part);
    else
      this.refuse(place, path, `${titleOf(part)} of ${draft.name} is said twice: also in ${placeText(other.place!)}`);
  }

  #entry(kind: Kind, body: Located, path: string): Pick<Wanted, 'fields' | 'secret'> | null {
    const said = isNothing(body) ? {} : plainOf(body);
    const parsed = schemas[kind].safeParse(said);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) this.#issue(issue, body, path);
      return null;
    }
    const before = this.mistakes.length;
    const refuse = (error: ProblemError): void => this.#problem(error, body, path);
    const fields = canonicalFields(kind, parsed.data, refuse);
    if (this.mistakes.length === before) tryTo(() => checkTogether(kind, fields), refuse);
    if (this.mistakes.length > before) return null;
    return kind === 'peer' ? withSecret(fields, said as object) : { fields, secret: null };
  }

  #problem({ problem }: ProblemError, body: Located, above: string): void {
    const { code, message, field = '' } = problem;
    const parts = field.split(/[.[\]]+/).filter((part) => part !== '');
    this.refuse(placeAt(body, parts), field === '' ? above : `${above}.${field}`, message, code);
  }

  /** Whether it is one; a mistake otherwise. */
  #isName(kind: Kind, name: string, place: Place, path: string): boolean {
    return tryTo(
      () => canonicalName(kind, name),
      ({ problem }) => this.refuse(place, path, problem.message, problem.code),
    );
  }

  #issue({ code, path, message, keys }: Issue, body: Located, above: string): void {
    if (code === 'unrecognized_keys')
      for (const key of keys ?? [])
        this.refuse(placeAt(body, [...path, key]), fieldPath(above, [...path, key]), `there is no field "${key}" here`);
    else
      this.refuse(
        placeAt(body, path),
        fieldPath(above, path),
        message.endsWith('received undefined') ? 'this is missing' : message.replace(/^Invalid input: /, ''),
      );
  }

  /** The entries of a map; nothing at all is an empty one. */
  *#map(located: Located, path: string): Generator<[name: string, value: Located, place: Place]> {
    if (isNothing(located)) return;
    if (located.kind !== 'map') {
      this.refuse(
        located.place,
        path,
        path === '' ? 'a file begins with "vrouters:"' : 'this is a map: names and what they have',
      );
      return;
    }
    for (const [name, { key, value }] of located.entries) yield [name, value, key.place];
  }
}

function tryTo(work: () => unknown, refuse: (error: ProblemError) => void): boolean {
  try {
    work();
    return true;
  } catch (thrown) {
    if (!(thrown instanceof ProblemError)) throw thrown;
    refuse(thrown);
    return false;
  }
}

/** The preshared key becomes its fingerprint; one that is not said is not compared, since an export cannot say it. */
function withSecret(fields: Wanted['fields'], said: object): Pick<Wanted, 'fields' | 'secret'> {
  const { presharedKey, ...rest } = fields;
  if (!Object.hasOwn(said, 'presharedKey')) return { fields: rest, secret: null };
  if (presharedKey === null || presharedKey === undefined)
    return { fields: { ...rest, presharedKey: null }, secret: null };
  const secret = secretOf(String(fields.publicKey), String(presharedKey));
  return { fields: { ...rest, presharedKey: secret.fingerprint }, secret };
}

function isNothing(located: Located): boolean {
  return located.kind === 'scalar' && located.value === null;
}

function fieldPath(above: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    above,
  );
}

/** `edge.yaml:3:5` */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}
