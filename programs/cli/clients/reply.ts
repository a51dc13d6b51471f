/** Turns what a server answered into data that fits its schema, or into a Failure. */
import { errorReply } from '@vrouter/api/rest/error.ts';
import { Failure, type Refusal } from '../failure.ts';
import type { Answer } from '../http/request.ts';

/** What we need of a zod schema. */
export interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly message: string } };
}

/** `raw` is what `--json` prints: newer members that our schema does not know are still in it. */
export interface Reply<T> {
  readonly data: T;
  readonly raw: unknown;
}

/** `who` is the server in a sentence: `the controller at http://...`. */
export function readReply<T>(who: string, answer: Answer, schema: Schema<T>): Reply<T> {
  const raw = jsonOf(answer.text);
  if (answer.status >= 400) {
    const refused = errorReply.safeParse(raw);
    if (!refused.success) throw strange(who, `status ${answer.status}`);
    const { code, message, field } = refused.data.error;
    throw new Failure(code, message, field, Object.keys(raw as object).length > 1 ? (raw as Refusal) : undefined);
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw strange(who, 'other data than expected');
  return { data: parsed.data, raw };
}

function strange(who: string, what: string): Failure {
  return new Failure('internal', `${who} answered ${what}: something else listens there, or it is of another release`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
