/** Every datagram that comes is asked whose it is before anything else looks at it. */
import { MAX_WORKERS } from '../control/messages.ts';
import { isInitiation, workerOf } from './share.ts';

export const name = 'engine/workers';

export const seeds: readonly Uint8Array[] = [1, 2, 3, 4].map((type) => {
  const bytes = new Uint8Array(32).fill(0xc3);
  bytes.set([type, 0, 0, 0]);
  return bytes;
});

export function fuzzOne(bytes: Uint8Array): void {
  const worker = workerOf(bytes, 0, bytes.length);
  if (!Number.isInteger(worker) || worker < 0 || worker >= MAX_WORKERS) throw new Error(`worker ${worker}`);
  if (isInitiation(bytes, 0, bytes.length) && worker !== 0) throw new Error('an initiation has no index of ours');
}
