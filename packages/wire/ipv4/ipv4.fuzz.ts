/** Any bytes as an IPv4 packet, as they are and with a right checksum: nothing may throw, and headers come back the same when written again. */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';
import { emitIpv4, ipv4HeaderLen, ipv4Len, parseIpv4, setIpv4Ttl, swapIpv4Addresses } from './ipv4.ts';

export const name = 'wire/ipv4';

export const seeds: readonly Uint8Array[] = [
  '4500001f1c464000401109ea0a4d00020a4d00030fa01388000b03af616263',
  '470000251c4640004011fcdc0a4d00020a4d000307070400000000000fa013880009501578',
  '4500001c1c462000401129ed0a4d00020a4d00033132333435363738',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  roundTrip(view);
  if (bytes.length < 20 || ipv4HeaderLen(view, 0) > bytes.length) return;
  view.setUint16(10, 0);
  view.setUint16(10, finishChecksum(sumWords(view, 0, ipv4HeaderLen(view, 0), 0)));
  roundTrip(view);
}

function roundTrip(view: DataView): void {
  const header = parseIpv4(view, 0, view.byteLength);
  if (header === null) return;
  const again = new DataView(new ArrayBuffer(ipv4Len(header) + header.payloadLength));
  emitIpv4(header, again, 0);
  const back = parseIpv4(again, 0, again.byteLength);
  if (JSON.stringify(back) !== JSON.stringify(header)) throw new Error(`came back as ${JSON.stringify(back)}`);
  setIpv4Ttl(again, 0, header.ttl ^ 0x55);
  swapIpv4Addresses(again, 0);
  if (parseIpv4(again, 0, again.byteLength) === null) throw new Error('the checksum was not mended');
}
