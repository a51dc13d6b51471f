/** Many streams over one: what a machine of its own and we say to each other through a serial port. */
import { Duplex } from 'node:stream';

/** In front of each piece: whose it is, what it is, how long it is. */
const HEADER_LEN = 9;
const OPEN = 1;
const DATA = 2;
const END = 3;
const CLOSE = 4;

/** What a stream is to be connected with. */
export type Wanted =
  /** A program: lines of JSON, `Told` from it and `Signal` to it. It is killed (SIGKILL) when the stream is closed. */
  | {
      readonly kind: 'run';
      readonly command: string;
      readonly args: readonly string[];
      readonly env?: { readonly [name: string]: string };
    }
  /** A socket there. */
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly port: number }
  /** Datagrams, each after its length in two bytes. */
  | { readonly kind: 'udp'; readonly port: number }
  /** A port there; each connection becomes a stream of kind `tcp` back. */
  | { readonly kind: 'listen'; readonly port: number };

export type Told = { readonly out: string } | { readonly err: string } | { readonly ended: number | string };
export interface Signal {
  readonly signal: NodeJS.Signals;
}

/** One end. `write` sends bytes to the other; what comes from there is given to `feed`. */
export class Channels {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #wanted: (what: Wanted, channel: Duplex) => void;
  readonly #byId = new Map<number, Duplex>();
  #next: number;
  #rest: Buffer = Buffer.alloc(0);

  /** `first`: 0 at one end and 1 at the other. `wanted`: the other end has opened a stream. */
  constructor(first: 0 | 1, write: (bytes: Uint8Array) => void, wanted: (what: Wanted, channel: Duplex) => void) {
    this.#next = first;
    this.#write = write;
    this.#wanted = wanted;
  }

  open(what: Wanted): Duplex {
    const id = this.#next;
    this.#next += 2;
    this.#send(id, OPEN, Buffer.from(JSON.stringify(what)));
    return this.#channel(id);
  }

  feed(bytes: Uint8Array): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#rest.length < HEADER_LEN) return;
      const end = HEADER_LEN + this.#rest.readUInt32LE(5);
      if (this.#rest.length < end) return;
      const id = this.#rest.readUInt32LE(0);
      const kind = this.#rest[4]!;
      const body = this.#rest.subarray(HEADER_LEN, end);
      this.#rest = this.#rest.subarray(end);
      this.#take(id, kind, body);
    }
  }

  #take(id: number, kind: number, body: Buffer): void {
    const channel = this.#byId.get(id);
    if (kind === OPEN) this.#wanted(JSON.parse(body.toString()) as Wanted, this.#channel(id));
    else if (kind === DATA) channel?.push(Buffer.from(body));
    else if (kind === END) channel?.push(null);
    else channel?.destroy();
  }

  #channel(id: number): Duplex {
    const channel = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.#send(id, DATA, chunk);
        done();
      },
      final: (done) => {
        this.#send(id, END, Buffer.alloc(0));
        done();
      },
      destroy: (_error, done) => {
        this.#byId.delete(id);
        this.#send(id, CLOSE, Buffer.alloc(0));
        done(null);
      },
    });
    this.#byId.set(id, channel);
    return channel;
  }

  #send(id: number, kind: number, body: Buffer): void {
    const header = Buffer.alloc(HEADER_LEN);
    header.writeUInt32LE(id, 0);
    header[4] = kind;
    header.writeUInt32LE(body.length, 5);
    this.#write(Buffer.concat([header, body]));
  }
}

/** Both ways, until either ends. */
export function join(a: Duplex, b: Duplex): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}

/** Calls back with each whole line. */
export function onLines(from: Duplex, line: (text: string) => void): void {
  let rest = '';
  from.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const one of lines) line(one);
  });
}
