/**
 * A client as the older router's are: compiled from a description in which enable_nat is no `optional`, so that false is never on the wire.
 * It is made of ours by taking that one word away.
 */
import type { Duplex } from 'node:stream';
import { clearField, clone, createFileRegistry, type DescService } from '@bufbuild/protobuf';
import { FieldDescriptorProtoSchema, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { file_router, RouterService } from '@vrouter/api/router/gen/router_pb.ts';

function olderService(): DescService {
  const file = clone(FileDescriptorProtoSchema, file_router.proto);
  for (const message of file.messageType) {
    message.oneofDecl = [];
    for (const field of message.field) {
      field.proto3Optional = false;
      clearField(field, FieldDescriptorProtoSchema.field.oneofIndex);
    }
  }
  return createFileRegistry(file, () => undefined).getService('router.RouterService')!;
}

/** The same calls, and types of TypeScript, but other bytes where they differ. */
export function olderClient(transport: Transport): Client<typeof RouterService> {
  return createClient(olderService() as unknown as typeof RouterService, transport);
}

export function newerClient(transport: Transport): Client<typeof RouterService> {
  return createClient(RouterService, transport);
}

/** Over sockets that `connect` makes: unix, VSOCK. */
export function transportOver(connect: () => Duplex): Transport {
  return createGrpcTransport({ baseUrl: 'http://router', nodeOptions: { createConnection: connect } });
}

export function transportTo(port: number, host = '127.0.0.1'): Transport {
  return createGrpcTransport({ baseUrl: `http://${host}:${port}` });
}
