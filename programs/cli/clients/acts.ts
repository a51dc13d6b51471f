/** What some calls of vrouterd answer that the schemas of `api` do not name. */
import type { Schema } from './reply.ts';

/** Any JSON object, or no body at all: what was done is said by the status. */
export const doneReply: Schema<{ readonly [name: string]: unknown }> = {
  safeParse(value) {
    if (value === undefined || value === null) return { success: true, data: {} };
    if (typeof value !== 'object') return { success: false, error: { message: 'no object' } };
    return { success: true, data: value as { readonly [name: string]: unknown } };
  },
};

export interface DaemonVersion {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
}

export const daemonVersion: Schema<DaemonVersion> = {
  safeParse(value) {
    const { version, node, pid } = (value ?? {}) as Partial<DaemonVersion>;
    if (typeof version === 'string' && typeof node === 'string' && typeof pid === 'number')
      return { success: true, data: { version, node, pid } };
    return { success: false, error: { message: 'no version' } };
  },
};
