/** Replies of vrouterd that wrap rows in one member: `{peers: [...]}`. */
import type { Schema } from './reply.ts';

/** A schema of an object whose member `name` is a list of `row`. */
export function listOf<N extends string, T>(name: N, row: Schema<T>): Schema<{ readonly [K in N]: readonly T[] }> {
  return {
    safeParse(value) {
      const list =
        typeof value === 'object' && value !== null ? (value as { readonly [name: string]: unknown })[name] : null;
      if (!Array.isArray(list)) return { success: false, error: { message: `no list ${name}` } };
      const rows: T[] = [];
      for (const item of list) {
        const parsed = row.safeParse(item);
        if (!parsed.success) return parsed;
        rows.push(parsed.data);
      }
      return { success: true, data: { [name]: rows } as unknown as { readonly [K in N]: readonly T[] } };
    },
  };
}
