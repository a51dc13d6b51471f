/** How every refusal looks, on REST and on the agents' listener alike; the HTTP status is `statusOf(code).http`. */
import { z } from 'zod';

export const errorReply = z.object({
  error: z.object({
    code: z.string().describe('Stable for ever: program against this, e.g. `peer.overlap`'),
    message: z.string().describe('A sentence for people that says what to do; may be reworded at any time'),
    field: z.string().optional().describe('Path of the offending input, e.g. `networks[1]`'),
  }),
});
export type ErrorReply = z.infer<typeof errorReply>;
