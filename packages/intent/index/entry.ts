/** One intent of one source as the index keeps it: what was said, and what came of it. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Intent, IntentKey, IntentSource, SourcedIntent } from '../model/intents.ts';
import type { ObjectKey, PlaneObject } from '../model/objects.ts';
import type { Aged } from './lines.ts';
import type { SubnetClaim } from './subnets.ts';

export class Entry implements Aged, SourcedIntent {
  readonly age: number;
  readonly source: IntentSource;
  readonly key: IntentKey;
  intent: Intent;
  /** False from removal on; the index forgets it at the next compile. */
  present = true;
  /** Names of the answers that the last compile depended on. */
  lookups: readonly string[] = nothing;
  /** Resources that the last compile laid claim to. */
  claims: readonly string[] = nothing;
  /** Subnets that the last compile laid claim to. */
  subnets: readonly SubnetClaim[] = nothing;
  /** Where the last compile stands in line for an object. */
  wants: readonly Want[] = nothing;
  problems: readonly Problem[] = nothing;

  constructor(age: number, source: IntentSource, key: IntentKey, intent: Intent) {
    this.age = age;
    this.source = source;
    this.key = key;
    this.intent = intent;
  }

  /** `controller peer/wg0/...`, for people. */
  get label(): string {
    return `${this.source} ${this.key}`;
  }
}

/** An object that an intent comes to; it stands in line for the object's key. */
export interface Want extends Aged {
  readonly key: ObjectKey;
  readonly object: PlaneObject;
  readonly entry: Entry;
}

/** The one empty list: a million entries without problems share it. */
const nothing: readonly never[] = Object.freeze([]);
