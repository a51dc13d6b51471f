/**
 * Reading one object of outside JSON, field by field. A reader never throws: the first complaint is kept, later ones are of no use to
 * the person who has to mend the first, and the caller asks once at the end. Fields that nobody asked for are refused, because a
 * misspelt or unknown one would otherwise be obeyed by silence.
 */
import { parseKey } from '@vrouter/core/bytes.ts';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { parseDnsName, parseHostName } from '@vrouter/core/dns-name.ts';
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { parseInterfaceName, parseName } from '@vrouter/core/names.ts';
import { formatPrefix, type Prefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { type PrefixUse, specialPrefix, tooSmall } from './special.ts';

/** Entries of one list; beyond it the input is a mistake or an attack. */
const LIST_MAX = 65_536;
/** Servers that are asked one after the other. */
const SERVERS_MAX = 16;

export class FieldReader {
  readonly #json: { readonly [name: string]: unknown };
  readonly #asked = new Set<string>();
  #problem: Problem | null = null;

  constructor(json: { readonly [name: string]: unknown }) {
    this.#json = json;
  }

  /** A text; `fallback` when absent, a complaint when there is none. */
  text(name: string, fallback?: string): string {
    const value = this.#take(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'string') return value;
    return this.#complain(name, value === undefined ? 'is missing' : 'is a text', '');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#take(name) ?? fallback;
    return typeof value === 'boolean' ? value : this.#complain(name, 'is true or false', fallback);
  }

  /** A whole number from `least` to `most`; `fallback` when absent. */
  integer(name: string, least: number, most: number, fallback?: number): number {
    const value = this.#take(name) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.#complain(
      name,
      value === undefined ? 'is missing' : `is a whole number from ${least} to ${most}`,
      least,
    );
  }

  integerOrNull(name: string, least: number, most: number): number | null {
    return this.#orNull(name) ? null : this.integer(name, least, most);
  }

  /** A canonical MAC address of a station. */
  macOrNull(name: string): string | null {
    if (this.#orNull(name)) return null;
    const parsed = parseMac(this.text(name), name);
    return parsed.ok ? formatMac(parsed.value) : this.#parsed(parsed, '');
  }

  name(name: string, fallback?: string): string {
    return this.#parsed(parseName(this.text(name, fallback), name), '');
  }

  /** A name, or '' where there is none. */
  nameOrEmpty(name: string): string {
    const text = this.text(name, '');
    return text === '' ? '' : this.#parsed(parseName(text, name), '');
  }

  nameOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.name(name);
  }

  /** A canonical prefix of a network whose addresses are given to hosts. */
  network(name: string): string {
    const text = this.text(name);
    // Elsewhere a bare address is that one alone, which no network is.
    if (parseIp(text).ok)
      this.refuse(name, `${text} has no prefix length: a subnet looks like 10.0.0.0/24`, 'prefix.invalid');
    const parsed = parsePrefix(text, name);
    const wrong = parsed.ok ? tooSmall(parsed.value, name) : null;
    return this.#parsed(wrong === null ? canonical(parsed, 'network', name) : err(wrong), '');
  }

  interfaceName(name: string): string {
    return this.#parsed(parseInterfaceName(this.text(name), name), '');
  }

  interfaceNameOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.interfaceName(name);
  }

  /** A canonical network prefix that can be a destination. */
  prefix(name: string): string {
    return this.#parsed(canonical(parsePrefix(this.text(name), name), 'destination', name), '');
  }

  prefixOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.prefix(name);
  }

  /** Canonical network prefixes that can be destinations, sorted by their text, each once. */
  prefixes(name: string): readonly string[] {
    return this.#list(name, 'prefixes', (text, field) => canonical(parsePrefix(text, field), 'destination', field));
  }

  /** Canonical interface addresses, host bits kept, sorted by their text, each once. */
  interfaceAddresses(name: string): readonly string[] {
    return this.#list(name, 'addresses with prefix length', (text, field) =>
      canonical(parseInterfaceAddress(text, field), 'address', field),
    );
  }

  /** A canonical interface address, host bits kept. */
  interfaceAddress(name: string): string {
    return this.#parsed(canonical(parseInterfaceAddress(this.text(name), name), 'address', name), '');
  }

  addressOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.address(name);
  }

  /** A canonical address. */
  address(name: string): string {
    const parsed = parseIp(this.text(name), name);
    return parsed.ok ? formatIp(parsed.value) : this.#parsed(parsed, '');
  }

  /** Canonical addresses, sorted by their text, each once; at least one, or null. */
  addressesOrNull(name: string): readonly string[] | null {
    return this.#listOrNull(name, 1024, 'addresses', (text, field) => {
      const parsed = parseIp(text, field);
      return parsed.ok ? ok(formatIp(parsed.value)) : parsed;
    });
  }

  /** Names of interfaces, sorted, each once; at least one, or null. */
  interfaceNamesOrNull(name: string): readonly string[] | null {
    return this.#listOrNull(name, 1024, 'names of interfaces', parseInterfaceName);
  }

  /** Names of hosts, sorted, each once. */
  hostNames(name: string): readonly string[] {
    return this.#list(name, 'host names', parseHostName);
  }

  hostName(name: string): string {
    return this.#parsed(parseHostName(this.text(name), name), '');
  }

  dnsNameOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.#parsed(parseDnsName(this.text(name), name), '');
  }

  /** Canonical addresses, sorted by their text, each once; at least one. */
  addresses(name: string): readonly string[] {
    const found = this.addressesOrNull(name);
    return found ?? this.#complain(name, 'is a list of at least one address', []);
  }

  /** Addresses with a port or without, in the order in which they are given; null where nothing is said. */
  serversOrNull(name: string): readonly string[] | null {
    if (this.#orNull(name)) return null;
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length > SERVERS_MAX)
      return this.#complain(name, `is a list of at most ${SERVERS_MAX} addresses`, null);
    return value.map((text: unknown, i) => {
      const field = `${name}[${i}]`;
      if (typeof text !== 'string') return this.#complain(field, 'is a text', '');
      const address = parseIp(text, field);
      if (address.ok) return formatIp(address.value);
      const endpoint = parseEndpoint(text, field);
      return endpoint.ok ? endpoint.value.text : this.#parsed(address, '');
    });
  }

  /** Objects, each read by a reader of its own; at most `most`. */
  objects<T>(name: string, most: number, read: (fields: FieldReader) => Result<T>): readonly T[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value) || value.length > most)
      return this.#complain(name, `is a list of at most ${most} objects`, []);
    const found: T[] = [];
    for (const [i, json] of value.entries()) {
      const field = `${name}[${i}]`;
      if (typeof json !== 'object' || json === null || Array.isArray(json))
        return this.#complain(field, 'is an object', []);
      const parsed = read(new FieldReader(json as { readonly [name: string]: unknown }));
      if (!parsed.ok) {
        this.#problem ??= { ...parsed.error, field: `${field}.${parsed.error.field ?? ''}`.replace(/\.$/, '') };
        return [];
      }
      found.push(parsed.value);
    }
    return found;
  }

  /** One of these words; `fallback` when absent, a complaint when there is none. */
  oneOf<T extends string>(name: string, options: readonly T[], fallback?: T): T {
    const text = this.text(name, fallback);
    return (
      options.find((option) => option === text) ?? this.#complain(name, `is one of ${options.join(', ')}`, options[0]!)
    );
  }

  oneOfOrNull<T extends string>(name: string, options: readonly T[]): T | null {
    return this.#orNull(name) ? null : this.oneOf(name, options);
  }

  /** An object, read by a reader of its own. */
  objectOrNull<T>(name: string, read: (fields: FieldReader) => Result<T>): T | null {
    if (this.#orNull(name)) return null;
    const json = this.#take(name);
    if (typeof json !== 'object' || Array.isArray(json)) return this.#complain(name, 'is an object', null);
    const parsed = read(new FieldReader(json as { readonly [name: string]: unknown }));
    if (parsed.ok) return parsed.value;
    this.#problem ??= { ...parsed.error, field: `${name}.${parsed.error.field ?? ''}` };
    return null;
  }

  endpointOrNull(name: string): string | null {
    if (this.#orNull(name)) return null;
    const parsed = parseEndpoint(this.text(name), name);
    return parsed.ok ? parsed.value.text : this.#parsed(parsed, '');
  }

  /** A 32-byte key in base64. */
  key(name: string): string {
    const text = this.text(name);
    this.#parsed(parseKey(text, name), null);
    return text;
  }

  keyOrNull(name: string): string | null {
    return this.#orNull(name) ? null : this.key(name);
  }

  literal<T extends string>(name: string, value: T): T {
    return this.text(name, value) === value ? value : this.#complain(name, `is "${value}"`, value);
  }

  /** A complaint of the caller's own, about fields that do not go together. */
  refuse(field: string, sentence: string, code: ProblemCode = 'input.invalid'): void {
    this.#problem ??= problem(code, sentence, field);
  }

  /** The value if nothing was wrong and nothing is left over. */
  finish<T>(value: T): Result<T> {
    for (const name of Object.keys(this.#json))
      if (!this.#asked.has(name))
        this.#problem ??= problem('input.invalid', `there is no field "${clip(name)}"`, clip(name));
    return this.#problem === null ? ok(value) : err(this.#problem);
  }

  #list(name: string, what: string, parse: (text: string, field: string) => Result<string>): readonly string[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value) || value.length > LIST_MAX)
      return this.#complain(name, `is a list of at most ${LIST_MAX} ${what}`, []);
    const found = new Set<string>();
    for (let i = 0; i < value.length; i++) {
      const field = `${name}[${i}]`;
      const text: unknown = value[i];
      if (typeof text !== 'string') return this.#complain(field, 'is a text', []);
      const parsed = parse(text, field);
      if (!parsed.ok) return this.#parsed(parsed, []);
      found.add(parsed.value);
    }
    return [...found].sort();
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#json, name) ? this.#json[name] : undefined;
  }

  #listOrNull(
    name: string,
    most: number,
    what: string,
    parse: (text: string, field: string) => Result<string>,
  ): readonly string[] | null {
    if (this.#orNull(name)) return null;
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length < 1 || value.length > most)
      return this.#complain(name, `is a list of 1 to ${most} ${what}`, null);
    const found = new Set<string>();
    for (let i = 0; i < value.length; i++) {
      const field = `${name}[${i}]`;
      const text: unknown = value[i];
      if (typeof text !== 'string') return this.#complain(field, 'is a text', null);
      const parsed = parse(text, field);
      if (!parsed.ok) return this.#parsed(parsed, null);
      found.add(parsed.value);
    }
    return [...found].sort();
  }

  #orNull(name: string): boolean {
    const value = this.#take(name);
    return value === undefined || value === null;
  }

  #complain<T>(name: string, what: string, instead: T): T {
    this.#problem ??= problem('input.invalid', `"${name}" ${what}`, name);
    return instead;
  }

  #parsed<T>(result: Result<T>, instead: T): T {
    if (result.ok) return result.value;
    this.#problem ??= result.error;
    return instead;
  }
}

/** The canonical text of what was read, or why it is no good for that. */
function canonical(parsed: Result<Prefix>, use: PrefixUse, field: string): Result<string> {
  if (!parsed.ok) return parsed;
  const wrong = specialPrefix(parsed.value, use, field);
  return wrong === null ? ok(formatPrefix(parsed.value)) : err(wrong);
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}
