/**
 * gRPC clients over bare HTTP/2. The older one is compiled from a description in which enable_nat is no `optional`, as the older router's are, so that
 * false is never on the wire; it is made of ours by taking that one word away. They read a reply as its frames come: that of connect-node, on
 * this Node, loses one that comes whole in one piece, as it does where the kernel is slow.
 */
import { type ClientHttp2Session, connect as http2Connect, type IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import {
  clearField,
  clone,
  create,
  createFileRegistry,
  type DescService,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf';
import { FieldDescriptorProtoSchema, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type Client, ConnectError } from '@connectrpc/connect';
import { file_router, RouterService } from '@vrouter/api/router/gen/router_pb.ts';

export interface CallOptions {
  /** Told to the server, who is to keep it; ms. */
  readonly timeoutMs?: number;
  /** Who goes away. */
  readonly signal?: AbortSignal;
}

/** As much as a test may have on its way; with the 10 of Node a client resets answers while it has more to send. */
const SESSION_MEGABYTES = 1000;

export type RouterClient = Client<typeof RouterService>;

/** A connection over a socket that is there: unix, VSOCK. */
export function sessionOver(socket: Duplex): ClientHttp2Session {
  return quiet(http2Connect('http://router', { createConnection: () => socket }));
}

export function sessionTo(port: number): ClientHttp2Session {
  return quiet(http2Connect(`http://127.0.0.1:${port}`, { maxSessionMemory: SESSION_MEGABYTES }));
}

/** Its requests tell of what goes wrong; the connection itself keeps no program alive. */
function quiet(session: ClientHttp2Session): ClientHttp2Session {
  session.on('error', () => {});
  session.unref();
  return session;
}

export function newerClient(session: ClientHttp2Session): RouterClient {
  return clientOf(RouterService, session);
}

export function olderClient(session: ClientHttp2Session): RouterClient {
  const file = clone(FileDescriptorProtoSchema, file_router.proto);
  for (const message of file.messageType) {
    message.oneofDecl = [];
    for (const field of message.field) {
      field.proto3Optional = false;
      clearField(field, FieldDescriptorProtoSchema.field.oneofIndex);
    }
  }
  return clientOf(createFileRegistry(file, () => undefined).getService('router.RouterService')!, session);
}

function clientOf(service: DescService, session: ClientHttp2Session): RouterClient {
  const calls = service.methods.map((method) => {
    const path = `/${service.typeName}/${method.name}`;
    const call = async (request: object, options: CallOptions = {}): Promise<object> => {
      const reply = await ask(
        session,
        path,
        [envelope(toBinary(method.input, create(method.input, request as Record<string, unknown>)))],
        options,
      );
      if (reply.status !== '0') throw new ConnectError(reply.message, Number(reply.status ?? 2));
      return fromBinary(method.output, reply.body.subarray(5));
    };
    return [method.localName, call] as const;
  });
  return Object.fromEntries(calls) as unknown as RouterClient;
}

export interface Reply {
  readonly headers: IncomingHttpHeaders;
  /** grpc-status and grpc-message, wherever they came. */
  readonly status: string | undefined;
  readonly message: string;
  readonly body: Buffer;
}

/** One request with these bytes of body, in pieces. Rejects when the connection is gone. */
export async function ask(
  session: ClientHttp2Session,
  path: string,
  pieces: readonly Uint8Array[],
  { timeoutMs, signal }: CallOptions = {},
  more: { readonly [name: string]: string } = {},
): Promise<Reply> {
  const timeout = timeoutMs === undefined ? {} : { 'grpc-timeout': `${timeoutMs}m` };
  const common = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
  const request = session.request({ ...common, ':path': path, ...timeout, ...more });
  let failure: Error | null = null;
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const body: Buffer[] = [];
  request.on('error', (thrown: Error) => {
    failure = thrown;
  });
  request.on('response', (came) => {
    headers = came;
  });
  request.on('trailers', (came) => {
    trailers = came;
  });
  request.on('data', (chunk: Buffer) => body.push(chunk));
  const cancel = (): void => request.close(8);
  signal?.addEventListener('abort', cancel, { once: true });
  for (const piece of pieces) request.write(piece);
  request.end();
  await new Promise((resolve) => request.on('close', resolve));
  signal?.removeEventListener('abort', cancel);
  if (signal?.aborted === true) throw new ConnectError('cancelled', 1);
  const status = trailers['grpc-status'] ?? headers['grpc-status'];
  if (status === undefined && Number(headers[':status']) !== 415)
    throw failure ?? new Error('the connection has ended');
  const message = decodeURIComponent(String(trailers['grpc-message'] ?? headers['grpc-message'] ?? ''));
  return { headers, status: status as string | undefined, message, body: Buffer.concat(body) };
}

/** A message with the five bytes before it: not compressed, its length. */
export function envelope(message: Uint8Array, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}
