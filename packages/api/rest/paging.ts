/** How every list is read: in pages, each of which tells where the next one begins. */
import { z } from 'zod';

/** Rows of a page, at most. */
export const PAGE_MAX = 1000;
/** Longest cursor that is read; names and prefixes make the longest ones. */
export const CURSOR_MAX = 1024;

/** Query of a list. The order is fixed, so what was there all the time is neither repeated nor left out, whatever comes and goes meanwhile. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(100).describe('Rows of the page, at most'),
  cursor: z
    .string()
    .min(1)
    .max(CURSOR_MAX)
    .optional()
    .describe('`next` of the page before, as it was given; left out, the list begins'),
});
export type PageQuery = z.output<typeof pageQuery>;

/** Member `next` of a list. Older controllers, which give all rows at once, do not say it. */
export const next = z.string().nullable().optional().describe('`cursor` of the next page; null: this was the last one');
