/** Reads the fields of a JSON object that a stranger sent, and remembers the first thing wrong with it. */
import { type Problem, problem } from '@vrouter/core/problem.ts';

/** Longest text that any field may have: keys, prefixes and names are far shorter. */
const MAX_TEXT = 256;

export class FieldReader {
  problem: Problem | null;
  readonly #fields: { readonly [name: string]: unknown };
  readonly #path: string;
  readonly #seen: Set<string>;

  /** `path` stands before the names of fields in problems: `actions[3].`, or nothing. */
  constructor(value: unknown, path: string) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.#fields = isObject ? (value as { [name: string]: unknown }) : {};
    this.#path = path;
    this.#seen = new Set();
    this.problem = isObject
      ? null
      : problem('input.invalid', 'expected an object', path.replace(/\.$/, '') || undefined);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  text(name: string): string {
    const value = this.#get(name);
    if (typeof value === 'string' && value.length <= MAX_TEXT) return value;
    this.#wrong(name, `a text of at most ${MAX_TEXT} characters`);
    return '';
  }

  textOrNull(name: string): string | null {
    return this.#get(name) === null ? null : this.text(name);
  }

  /** Whether the field is there and null. */
  isNull(name: string): boolean {
    return this.#get(name) === null;
  }

  /** A finite number; ranges are the tables' to judge. */
  number(name: string): number {
    const value = this.#get(name);
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    this.#wrong(name, 'a number');
    return 0;
  }

  boolean(name: string): boolean {
    const value = this.#get(name);
    if (typeof value === 'boolean') return value;
    this.#wrong(name, 'true or false');
    return false;
  }

  /** The value as it came, for a reader of its own. */
  object(name: string): unknown {
    return this.#get(name);
  }

  list(name: string): readonly unknown[] {
    const value = this.#get(name);
    if (Array.isArray(value)) return value;
    this.#wrong(name, 'a list');
    return [];
  }

  textList(name: string): readonly string[] {
    const list = this.list(name);
    const bad = list.findIndex((item) => typeof item !== 'string' || item.length > MAX_TEXT);
    if (bad >= 0) this.#wrong(`${name}[${bad}]`, `a text of at most ${MAX_TEXT} characters`);
    return list as readonly string[];
  }

  oneOf<T extends string>(name: string, options: readonly T[]): T {
    const value = this.#get(name);
    const found = options.find((option) => option === value);
    if (found === undefined) this.#wrong(name, `one of ${options.join(', ')}`);
    return found ?? options[0]!;
  }

  /** Fields that nobody asked for are wrong too: a misspelt option must not be silently without effect. */
  finish(): Problem | null {
    if (this.problem === null)
      for (const name of Object.keys(this.#fields))
        if (!this.#seen.has(name)) {
          const shown = name.slice(0, 64);
          this.problem ??= problem('input.invalid', `there is no field "${shown}" here`, `${this.#path}${shown}`);
        }
    return this.problem;
  }

  #get(name: string): unknown {
    this.#seen.add(name);
    return this.has(name) ? this.#fields[name] : undefined;
  }

  #wrong(name: string, expected: string): void {
    this.problem ??= problem('input.invalid', `${name} must be ${expected}`, `${this.#path}${name}`);
  }
}
