/** What the kernel says: messages one after the other in a datagram, among them errors, which are also how it says that all is well. */
import { Attributes } from './attributes.ts';
import { ATTRIBUTE_HEADER_LEN, aligned, MessageFlag, MessageType, NLMSG_HEADER_LEN } from './message.ts';

const ERRNO_LEN = 4;
const NLMSGERR_ATTR_MSG = 1;
const HIGHEST_OF_ERROR = NLMSGERR_ATTR_MSG;

/** One message of a datagram, where it lies. */
export interface Message {
  readonly view: DataView;
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Number of the socket that is answered, or whose doing it is; 0 is the kernel's own. */
  readonly port: number;
  /** Where the body begins and the message ends. */
  readonly body: number;
  readonly end: number;
}

/** What the kernel has against a request. */
export interface Refusal {
  /** Positive; errno.h. */
  readonly errno: number;
  /** Its own words, of which it has some for many mistakes (extended ACK, Linux 4.12); else empty. */
  readonly text: string;
}

/** The messages of a datagram; what is cut off at its end is not among them. */
export function* messagesOf(datagram: Uint8Array): Generator<Message> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  for (let at = 0; at + NLMSG_HEADER_LEN <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < NLMSG_HEADER_LEN || length > datagram.length - at) return;
    yield {
      view,
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      port: view.getUint32(at + 12, true),
      body: at + NLMSG_HEADER_LEN,
      end: at + length,
    };
    at += aligned(length);
  }
}

/** The verdict in a message of the types `error` or `done`; null: it is well. Undefined: this is no verdict. */
export function verdictOf(message: Message): Refusal | null | undefined {
  const { view, type, flags, body, end } = message;
  if (type !== MessageType.error && type !== MessageType.done) return undefined;
  // The end of a dump may come without a number.
  if (end - body < ERRNO_LEN) return type === MessageType.done ? null : undefined;
  const error = view.getInt32(body, true);
  if (error === 0) return null;
  if (error > 0) return type === MessageType.done ? null : undefined;
  return { errno: -error, text: (flags & MessageFlag.ackTlvs) === 0 ? '' : wordsOf(message) };
}

/** After the errno comes the request, its head alone when capped; then the attributes. A `done` repeats no request. */
function wordsOf({ view, type, flags, body, end }: Message): string {
  let at = body + ERRNO_LEN;
  if (type === MessageType.error) {
    if (end - at < NLMSG_HEADER_LEN) return '';
    const repeated = (flags & MessageFlag.capped) === 0 ? view.getUint32(at, true) : NLMSG_HEADER_LEN;
    if (repeated < NLMSG_HEADER_LEN || repeated > end - at) return '';
    at += aligned(repeated);
  }
  if (at + ATTRIBUTE_HEADER_LEN > end) return '';
  return new Attributes(HIGHEST_OF_ERROR).read(view, at, end).text(NLMSGERR_ATTR_MSG) ?? '';
}
