/**
 * Pieces of datagrams in any order, overlapping, repeated and too late: nothing may throw, and what comes whole holds at every place what
 * its pieces held there. Four bytes of the input make a piece: who and what, where, how long, when.
 */
import { type Millis, millis } from '@vrouter/core/time.ts';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { makeRegion, PacketBatch } from '../../batch/packet-batch.ts';
import { Counters } from '../../graph/counters.ts';
import { Drop, dropReasons } from '../../graph/drops.ts';
import { HELD, Reassembly } from './reassembly.ts';

export const name = 'engine/reassembly';

/** In order; backwards; overlapping; IPv6; many of one source, and long after. */
export const seeds: readonly Uint8Array[] = [
  '80000800' + '80010800' + '00020500',
  '00020500' + '80010800' + '80000800',
  '80001000' + '80010800' + '00020500',
  'c0000800' + 'c0010800' + '40020300',
  '80000800' + '81000800' + '82000800' + '83000800' + '000108ff' + '010108ff',
].map((hex) => Uint8Array.fromHex(hex));

const AT = 64;
/** Made once: the slots' memory is dear. What is left of one input is forgotten before the next. */
const counters = new Counters(2, 1);
const reassembly = new Reassembly(counters);
const batch = new PacketBatch(4, 4, 1 << 17);
const region = makeRegion(2 * AT + 1024);
/** Goes on from input to input. */
const clock: { now: Millis } = { now: millis(0) };

export function fuzzOne(bytes: Uint8Array): void {
  clock.now = millis(clock.now + 120_000);
  for (let i = 0; i + 3 < bytes.length; i += 4) {
    const [what, where, long, wait] = [bytes[i]!, bytes[i + 1]!, bytes[i + 2]!, bytes[i + 3]!];
    // More, family, and in the other bits which datagram.
    const family = (what & 0x40) === 0 ? 4 : 6;
    const which = what & 0x3f;
    // Most waits are short; a long one lets datagrams run out of time.
    clock.now = millis(clock.now + (wait < 0xf0 ? wait : 61_000));
    const length = piece(family, which, (what & 0x80) !== 0, where * 8, long);
    batch.begin();
    batch.count = 1;
    batch.region[0] = region;
    batch.offset[0] = AT;
    batch.length[0] = length;
    batch.vrf[0] = 0;
    batch.ingress[0] = 0;
    const answer = reassembly.take(batch, 0, clock.now);
    if (answer === HELD) continue;
    if (answer === Drop.none) checkWhole(family, which);
    else if (dropReasons[answer] === undefined) throw new Error(`no such reason: ${answer}`);
  }
}

/** What a datagram has at a place of its payload: every piece of it agrees. */
const byteAt = (which: number, place: number): number => (which * 31 + place * 7 + (place >> 8)) & 0xff;

/** Writes a piece as ip-input lets it through; returns its length. */
function piece(family: 4 | 6, which: number, more: boolean, offset: number, long: number): number {
  const { bytes, view } = region;
  bytes.fill(0);
  const header = family === 4 ? 20 : 48;
  for (let i = 0; i < long; i++) bytes[AT + header + i] = byteAt(which, offset + i);
  const source = which >> 4;
  if (family === 4) {
    view.setUint16(AT, 0x4500);
    view.setUint16(AT + 2, header + long);
    view.setUint16(AT + 4, which);
    view.setUint16(AT + 6, (more ? 0x2000 : 0) | (offset >> 3));
    view.setUint16(AT + 8, 0x4011);
    view.setUint32(AT + 12, 0x0a4d0002 + source);
    view.setUint32(AT + 16, 0x0a4d0001);
    view.setUint16(AT + 10, finishChecksum(sumWords(view, AT, 20, 0)));
  } else {
    view.setUint32(AT, 0x6000_0000);
    view.setUint16(AT + 4, 8 + long);
    view.setUint16(AT + 6, 0x2c40);
    bytes[AT + 23] = 2 + source;
    bytes[AT + 39] = 1;
    bytes[AT + 40] = 17;
    view.setUint16(AT + 42, offset | (more ? 1 : 0));
    view.setUint32(AT + 44, which);
  }
  return header + long;
}

function checkWhole(family: 4 | 6, which: number): void {
  const { bytes, view } = batch.region[0]!;
  const at = batch.offset[0]!;
  const length = batch.length[0]!;
  const header = family === 4 ? 20 : 40;
  const told = family === 4 ? view.getUint16(at + 2) : view.getUint16(at + 4) + 40;
  if (told !== length) throw new Error(`${told} bytes say the headers of ${length}`);
  if (family === 4 && finishChecksum(sumWords(view, at, 20, 0)) !== 0) throw new Error('the checksum is wrong');
  for (let i = 0; i < length - header; i++)
    if (bytes[at + header + i] !== byteAt(which, i))
      throw new Error(`byte ${i} of ${length - header} is none of its pieces'`);
}
