/** Any text as a published port: it is read, or refused as wrong usage; what was read has whole numbers. */
import { Failure } from '../failure.ts';
import { parseOutside, parsePublished } from './port-text.ts';

export const name = 'cli/port-text';

export const seeds: readonly Uint8Array[] = [
  '8080:172.18.0.2:80',
  '127.0.0.1:8000-8009:172.18.0.2:9000-9009/udp',
  '[::1]:8080:[fd18::2]:80/sctp',
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  for (const parse of [parsePublished, parseOutside])
    try {
      const { hostPort, last } = parse(text);
      if (!Number.isInteger(hostPort) || (last !== null && last < hostPort)) throw new TypeError(text);
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'usage') throw thrown;
    }
}
