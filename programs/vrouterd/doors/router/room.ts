/** How much of requests may be here before they are answered: of one connection, and of all of them. */
import { Code, ConnectError } from '@connectrpc/connect';

/** Of one connection: four of the longest messages at once. */
const CONNECTION_BYTES = 16 << 20;
const ALL_BYTES = 64 << 20;
/** Of each call, not counted, so that short calls are served while others hold all there is. */
const FREE_BYTES = 4096;

/** Bytes that may be held; what is within another room is held there too. */
export class Room {
  readonly #mostBytes: number;
  readonly #outer: Room | null;
  #heldBytes = 0;

  constructor(mostBytes: number, outer: Room | null = null) {
    this.#mostBytes = mostBytes;
    this.#outer = outer;
  }

  /** False: there is no room for as many, and none are taken. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#mostBytes) return false;
    if (this.#outer?.take(bytes) === false) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#outer?.give(bytes);
  }
}

/** Rooms of connections, each within the room of all. A connection that is gone is forgotten with its room. */
export class Rooms {
  readonly #all = new Room(ALL_BYTES);
  readonly #byConnection = new WeakMap<object, Room>();

  of(connection: object): Room {
    const known = this.#byConnection.get(connection);
    if (known !== undefined) return known;
    const room = new Room(CONNECTION_BYTES, this.#all);
    this.#byConnection.set(connection, room);
    return room;
  }
}

/** What one call holds, from its first byte until it is answered or its client has gone. */
export class Held {
  readonly #room: Room;
  #cameBytes = 0;
  #takenBytes = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** The same body. Throws ConnectError `resource_exhausted` (8) when there is no room for more of it. */
  async *count(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of body) {
      this.#cameBytes += chunk.byteLength;
      const more = Math.max(0, this.#cameBytes - FREE_BYTES) - this.#takenBytes;
      if (!this.#room.take(more))
        throw new ConnectError('too much of other calls is under way: wait for their answers', Code.ResourceExhausted);
      this.#takenBytes += more;
      yield chunk;
    }
  }

  release(): void {
    this.#room.give(this.#takenBytes);
    this.#takenBytes = 0;
  }
}
