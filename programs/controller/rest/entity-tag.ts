/** Lists of entity tags in If-Match and If-None-Match (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2). */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';

export interface EntityTag {
  readonly weak: boolean;
  /** Without its quotes. */
  readonly tag: string;
}

/** `*` is any. */
export type EntityTags = '*' | readonly EntityTag[];

/** Tags of one header; more are a mistake. */
const TAGS_MAX = 64;
const ONE = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]{0,256})"[ \t]*)?(,|$)/y;

/** Code `input.invalid` with the header as its field. */
export function parseEntityTags(text: string, header: string): Result<EntityTags> {
  if (text.trim() === '*') return ok('*');
  const tags: EntityTag[] = [];
  ONE.lastIndex = 0;
  for (let more = true; more; ) {
    const match = ONE.exec(text);
    if (match === null || tags.length >= TAGS_MAX) return err(wrong(header));
    const [, weak, tag, comma] = match;
    // An empty element is to be ignored (section 5.6.1.2).
    if (tag !== undefined) tags.push({ weak: weak !== undefined, tag });
    more = comma === ',';
  }
  return tags.length === 0 ? err(wrong(header)) : ok(tags);
}

function wrong(header: string) {
  return problem('input.invalid', `${header} is * or tags in quotes, as ETag gave them: "xyz"`, header);
}

/**
 * What of an ETag names the configuration. Ours are `configuration.rest`, where the rest tells apart what a gateway last told, too;
 * a change is made from a configuration, whatever was heard meanwhile, so If-Match looks at the first part alone.
 */
export function configurationOf(tag: string): string {
  const dot = tag.indexOf('.');
  return dot === -1 ? tag : tag.slice(0, dot);
}

/** Weak comparison (section 8.8.3.2), as If-None-Match wants it. */
export function matchesWeakly(tags: EntityTags, etag: string): boolean {
  if (tags === '*') return true;
  const own = etag.replace(/^W\//, '');
  return tags.some(({ tag }) => `"${tag}"` === own);
}
