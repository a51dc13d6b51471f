/** Any stream of events, whole and cut in pieces: nothing may throw, and the events are the same. */
import { EventDecoder } from './sse.ts';

export const name = 'cli/sse';

export const seeds: readonly Uint8Array[] = [
  ': looking\n\ndata: {"a":1}\n\ndata: two\r\ndata: lines\r\n\r\n',
  'event: x\nid: 7\ndata\n\nretry: 5\ndata:  spaced\r\r',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  const whole = new EventDecoder().push(text);
  const decoder = new EventDecoder();
  const heard: string[] = [];
  for (let at = 0; at < text.length; at += 3) heard.push(...decoder.push(text.slice(at, at + 3)));
  if (JSON.stringify(heard) !== JSON.stringify(whole)) throw new Error(`${JSON.stringify(heard)}, cut in pieces`);
}
