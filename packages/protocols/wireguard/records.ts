/**
 * What is told of a peer outside of its device lies in a record of plain memory, which whoever owns the memory may show to others: they
 * read it where it lies, and nobody has to be asked. Records stand in pages, so that their views are made once a page.
 *
 *     doubles   0 rxBytes | 1 txBytes | 2 rxPackets | 3 txPackets | 4 last handshake, Unix ms, 0 = never
 *     words    10 number of the device + 1, 0 = nobody is here | 11 endpoint: port | bytes of its address << 16, 0 = not known
 *     bytes    48 address of the endpoint | 64 public key | 96 greatest TAI64N received, zeros = none | 108 free up to 128
 *
 * Doubles and words are the machine's own (little-endian everywhere we run), and aligned, so each is read whole. A record as a whole is not:
 * `changing` is called before and after peers come and go.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';

export const RECORD_BYTES = 128;
export const RECORD_DOUBLES = RECORD_BYTES / 8;
export const RECORD_WORDS = RECORD_BYTES / 4;

export const RX_BYTES = 0;
export const TX_BYTES = 1;
export const RX_PACKETS = 2;
export const TX_PACKETS = 3;
export const LAST_HANDSHAKE = 4;
export const DEVICE_WORD = 10;
export const ENDPOINT_WORD = 11;
export const ENDPOINT_AT = 48;
export const KEY_AT = 64;
export const TIMESTAMP_AT = 96;
const TIMESTAMP_BYTES = 12;

/** Records of a page where memory is shown to somebody; private ones are smaller, since many a device has two or three peers. */
export const PAGE_RECORDS = 512;
const PRIVATE_PAGE_RECORDS = 8;

/** Several records, seen as what they hold. */
export class RecordPage {
  readonly doubles: Float64Array;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;

  constructor(doubles: Float64Array) {
    const { buffer, byteOffset, byteLength } = doubles;
    this.doubles = doubles;
    this.words = new Int32Array(buffer, byteOffset, byteLength / 4);
    this.bytes = new Uint8Array(buffer, byteOffset, byteLength);
  }
}

/** Where records lie. */
export interface RecordMemory {
  readonly pageRecords: number;
  /** As many zeros, which stay where they are for ever. */
  page(doubles: number): Float64Array;
  /** `true` before records change hands, `false` after. */
  changing(begins: boolean): void;
}

const privateMemory: RecordMemory = {
  pageRecords: PRIVATE_PAGE_RECORDS,
  page: (doubles) => new Float64Array(doubles),
  changing() {},
};

/** A place for one record. */
export interface RecordPlace {
  readonly page: RecordPage;
  readonly row: number;
}

/** Hands out records, and takes them back. One for all devices of a thread, or one for each. */
export class PeerRecords {
  readonly #memory: RecordMemory;
  readonly #free: RecordPlace[] = [];

  constructor(memory: RecordMemory = privateMemory) {
    this.#memory = memory;
  }

  /** A record of a peer that has just come, with its name on it. */
  take(device: number, publicKey: Uint8Array): RecordPlace {
    this.#memory.changing(true);
    if (this.#free.length === 0) this.#addPage();
    const place = this.#free.pop()!;
    const { page, row } = place;
    page.bytes.set(publicKey, row * RECORD_BYTES + KEY_AT);
    page.words[row * RECORD_WORDS + DEVICE_WORD] = device + 1;
    this.#memory.changing(false);
    return place;
  }

  /** The peer has gone; nothing of it stays. */
  free(place: RecordPlace): void {
    const { page, row } = place;
    this.#memory.changing(true);
    page.bytes.fill(0, row * RECORD_BYTES, (row + 1) * RECORD_BYTES);
    this.#free.push(place);
    this.#memory.changing(false);
  }

  #addPage(): void {
    const { pageRecords } = this.#memory;
    const page = new RecordPage(this.#memory.page(pageRecords * RECORD_DOUBLES));
    for (let row = pageRecords - 1; row >= 0; row--) this.#free.push({ page, row });
  }
}

/** A place that nobody looks at, for peers that live in another part of a divided device. */
export function placeElsewhere(): RecordPlace {
  return { page: new RecordPage(new Float64Array(RECORD_DOUBLES)), row: 0 };
}

export function tellEndpoint({ page, row }: RecordPlace, endpoint: Endpoint | null): void {
  const word = row * RECORD_WORDS + ENDPOINT_WORD;
  // Not known, as long as it is neither the old one nor the new one.
  page.words[word] = 0;
  if (endpoint === null) return;
  page.bytes.set(endpoint.address, row * RECORD_BYTES + ENDPOINT_AT);
  page.words[word] = endpoint.port | (endpoint.address.length << 16);
}

export function tellTimestamp({ page, row }: RecordPlace, timestamp: Uint8Array): void {
  page.bytes.set(timestamp.subarray(0, TIMESTAMP_BYTES), row * RECORD_BYTES + TIMESTAMP_AT);
}
