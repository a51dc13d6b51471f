/** Any bytes as the kernel's answer: never a throw, and never a success that nobody gave. */
import { parseAck } from './message.ts';

export const name = 'drivers/linux/netlink';

export const seeds: readonly Uint8Array[] = [0, -17].map((error) => {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 36, true);
  view.setUint16(4, 2, true);
  view.setInt32(16, error, true);
  return bytes;
});

export function fuzzOne(bytes: Uint8Array): void {
  const said = parseAck(bytes);
  if (said === null) return;
  if (said < 0 || !Number.isInteger(said)) throw new Error(`errno ${said}`);
  if (bytes.length < 20 || bytes[4] !== 2 || bytes[5] !== 0) throw new Error('this was no answer to a request');
}
