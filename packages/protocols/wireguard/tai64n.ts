/** TAI64N labels as handshakes carry them: 8 bytes of seconds, 4 of nanoseconds, big-endian (section 5.1). */

const TAI_OFFSET_HIGH = 0x4000_0000;
const TAI_OFFSET_LOW = 10;
/** Nanoseconds are rounded down to this, about 1/60 s, so that they do not tell how long our cryptography takes. */
const GRAIN = 2 ** 24;
const TWO_32 = 2 ** 32;

/** The label of a Unix time in milliseconds, which may have a fraction. */
export function tai64n(unixMs: number): Uint8Array {
  const seconds = Math.floor(unixMs / 1000);
  const nanoseconds = Math.floor((unixMs - seconds * 1000) * 1e6);
  const low = TAI_OFFSET_LOW + seconds;
  const label = new Uint8Array(12);
  putUint32(label, 0, TAI_OFFSET_HIGH + Math.floor(low / TWO_32));
  putUint32(label, 4, low);
  putUint32(label, 8, nanoseconds - (nanoseconds % GRAIN));
  return label;
}

/** Whether label `a` is later than `b`. Zeros are before all. */
export function isLater(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < 12; i++) if (a[i] !== b[i]) return a[i]! > b[i]!;
  return false;
}

/** The next label that is later and has only rounded nanoseconds. */
export function nextLabel(label: Uint8Array): Uint8Array {
  const next = new Uint8Array(label);
  const nanoseconds = getUint32(label, 8) + GRAIN;
  if (nanoseconds < 1e9) {
    putUint32(next, 8, nanoseconds);
    return next;
  }
  putUint32(next, 8, 0);
  const low = getUint32(label, 4) + 1;
  putUint32(next, 4, low);
  if (low === TWO_32) putUint32(next, 0, getUint32(label, 0) + 1);
  return next;
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = Math.floor(value / 2 ** (24 - 8 * i)) & 0xff;
}

function getUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
