/** As much of RFC 1035 as an asker needs. */

export const A = 1;
export const PTR = 12;
export const MX = 15;
export const AAAA = 28;

export interface DnsAnswer {
  readonly id: number;
  readonly rcode: number;
  /** Of address records. */
  readonly data: readonly string[];
  /** Of all answers, seconds. */
  readonly ttls: readonly number[];
}

export function question(id: number, name: string, type: number): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([
    Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...labels,
    Buffer.from([0, type >> 8, type & 255, 0, 1]),
  ]);
}

export function answerOf(bytes: Buffer): DnsAnswer {
  const count = bytes.readUInt16BE(6);
  let at = 12;
  const skipName = (): void => {
    while (bytes[at]! !== 0) {
      if (bytes[at]! >= 192) {
        at += 2;
        return;
      }
      at += bytes[at]! + 1;
    }
    at++;
  };
  skipName();
  at += 4;
  const data: string[] = [];
  const ttls: number[] = [];
  for (let i = 0; i < count; i++) {
    skipName();
    const type = bytes.readUInt16BE(at);
    ttls.push(bytes.readUInt32BE(at + 4));
    const length = bytes.readUInt16BE(at + 8);
    const rdata = bytes.subarray(at + 10, at + 10 + length);
    if (type === A) data.push([...rdata].join('.'));
    if (type === AAAA) data.push(rdata.toString('hex'));
    at += 10 + length;
  }
  return { id: bytes.readUInt16BE(0), rcode: bytes[3]! & 15, data, ttls };
}
