/** What a session says, text or not, as messages. */
import assert from 'node:assert/strict';
import { FrameDecoder } from './frame.ts';
import type { ControlReply } from './messages.ts';

export function said(replies: Iterable<ControlReply | Uint8Array>): ControlReply[] {
  return [...replies].map((reply) => {
    if (!(reply instanceof Uint8Array)) return reply;
    const decoder = new FrameDecoder();
    decoder.push(reply);
    const message = decoder.next();
    assert.ok(message?.ok);
    return message.value as ControlReply;
  });
}
