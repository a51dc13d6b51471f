/** Any bytes as a packet that nobody has checked: nothing outside of it may be read, and what is read can be said. */
import { makeRegion } from '../batch/packet-batch.ts';
import { changesOf, readHeader, summaryOf } from './header.ts';

export const name = 'engine/trace-header';

export const seeds: readonly Uint8Array[] = [
  '4500001f1c464000401109ea0a4d00020a4d00030fa01388000b03af616263',
  '60000000000b1140fd770000000000000000000000000002fd7700000000000000000000000000030fa01388000b1d59616263',
  '6000000000182c40fd770000000000000000000000000002fd7700000000000000000000000000033c000001000000073a00050200000100800000000000000000000000',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const texts = [0x00, 0xff].map((fill) => {
    const region = makeRegion(bytes.length + 128);
    region.bytes.fill(fill);
    region.bytes.set(bytes, 64);
    const header = readHeader(region, 64, bytes.length);
    if (header === null) return '';
    if (header.length > bytes.length) throw new Error('longer than what is there');
    if (Object.keys(changesOf(header, header)).length > 0) throw new Error('it differs from itself');
    return JSON.stringify(summaryOf(header));
  });
  if (texts[0] !== texts[1]) throw new Error(`what lies around it shows: ${texts.join(' and ')}`);
}
