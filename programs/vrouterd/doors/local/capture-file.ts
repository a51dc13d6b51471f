/** Captured packets as a file that is written while it is read: classic pcap, or pcapng with links, directions and drop reasons. */
import type { CaptureRow } from '@vrouter/engine/control/trace-messages.ts';
import { LINKTYPE_RAW, pcapHeader, pcapRecord } from '@vrouter/wire/pcap/pcap.ts';
import { PcapngDirection, pcapngInterface, pcapngPacket, pcapngSection } from '@vrouter/wire/pcap/pcapng.ts';

const directions: { readonly [D in CaptureRow['direction']]: PcapngDirection } = {
  in: PcapngDirection.inbound,
  out: PcapngDirection.outbound,
  drop: PcapngDirection.unknown,
};

export class CaptureFile {
  readonly #format: 'pcap' | 'pcapng';
  readonly #snapLen: number;
  /** Numbers of the links that have been declared. */
  readonly #links = new Map<string, number>();

  constructor(format: 'pcap' | 'pcapng', snapLen: number) {
    this.#format = format;
    this.#snapLen = snapLen;
  }

  start(): Uint8Array {
    return this.#format === 'pcap' ? pcapHeader(LINKTYPE_RAW, this.#snapLen) : pcapngSection();
  }

  /** The pieces that one packet adds. */
  *packet(row: CaptureRow): Iterable<Uint8Array> {
    const data = Buffer.from(row.data, 'base64');
    if (this.#format === 'pcap') {
      yield pcapRecord(row.unixMs, data, 0, data.length, row.length);
      return;
    }
    let number = this.#links.get(row.link);
    if (number === undefined) {
      number = this.#links.size;
      this.#links.set(row.link, number);
      yield pcapngInterface(Buffer.from(row.link), LINKTYPE_RAW, this.#snapLen);
    }
    yield pcapngPacket({
      interface: number,
      unixMs: row.unixMs,
      data,
      originalLength: row.length,
      direction: directions[row.direction],
      comment: Buffer.from(row.drop === null ? '' : `dropped: ${row.drop}`),
    });
  }
}
