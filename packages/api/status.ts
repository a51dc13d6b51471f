/** What a stranger sees of a problem: HTTP status, gRPC status, exit code. */
import type { ProblemCode } from '@vrouter/core/codes.ts';

export interface Status {
  readonly http: number;
  readonly grpc: string;
  /** 1 failure, 2 usage. */
  readonly exit: 1 | 2;
}

const internal: Status = { http: 500, grpc: 'INTERNAL', exit: 1 };
const invalid: Status = { http: 400, grpc: 'INVALID_ARGUMENT', exit: 2 };
const notFound: Status = { http: 404, grpc: 'NOT_FOUND', exit: 1 };
const exists: Status = { http: 409, grpc: 'ALREADY_EXISTS', exit: 1 };
const precondition: Status = { http: 409, grpc: 'FAILED_PRECONDITION', exit: 1 };
const denied: Status = { http: 403, grpc: 'PERMISSION_DENIED', exit: 1 };
const away: Status = { http: 503, grpc: 'UNAVAILABLE', exit: 1 };

const statuses: { readonly [C in ProblemCode]: Status } = {
  internal,
  'input.invalid': invalid,
  'address.invalid': invalid,
  'prefix.invalid': invalid,
  'key.invalid': invalid,
  'name.invalid': invalid,
  'config.invalid': invalid,
  usage: invalid,
  'intent.conflict': precondition,
  'intent.notFound': notFound,
  'intent.exists': exists,
  'intent.reference': precondition,
  'intent.inUse': precondition,
  'intent.unsupported': { http: 501, grpc: 'UNIMPLEMENTED', exit: 1 },
  'intent.refused': denied,
  'intent.held': precondition,
  'object.exists': exists,
  'object.notFound': notFound,
  'object.dependency': precondition,
  'vrouter.notFound': notFound,
  'vrouter.exists': exists,
  'peer.notFound': notFound,
  'peer.exists': exists,
  'peer.overlap': precondition,
  'rotation.notFound': notFound,
  'rotation.open': precondition,
  'route.notFound': notFound,
  'route.exists': exists,
  'interface.notFound': notFound,
  'version.notFound': notFound,
  'version.notKept': { http: 410, grpc: 'OUT_OF_RANGE', exit: 1 },
  'pool.exhausted': { http: 409, grpc: 'RESOURCE_EXHAUSTED', exit: 1 },
  'network.overlap': invalid,
  'join.refused': denied,
  'joinToken.notFound': notFound,
  'join.malformed': invalid,
  'tls.fingerprint': denied,
  'tls.untrusted': denied,
  'certificate.required': { http: 401, grpc: 'UNAUTHENTICATED', exit: 1 },
  'poll.replay': { http: 409, grpc: 'ABORTED', exit: 1 },
  'poll.identity': denied,
  'gateway.deleted': { http: 410, grpc: 'NOT_FOUND', exit: 1 },
  'controller.notFound': notFound,
  'controller.running': precondition,
  'user.notFound': notFound,
  'user.exists': exists,
  'user.lastAdmin': precondition,
  'user.fromProvider': precondition,
  'apiToken.notFound': notFound,
  'login.notOffered': notFound,
  'login.refused': { http: 401, grpc: 'UNAUTHENTICATED', exit: 1 },
  'login.pending': precondition,
  'login.noRole': denied,
  'login.disabled': denied,
  'login.nameTaken': exists,
  'login.noSession': precondition,
  'login.unavailable': away,
  'audit.broken': { http: 500, grpc: 'DATA_LOSS', exit: 1 },
  'ca.unreachable': away,
  'ca.refused': { http: 502, grpc: 'UNAVAILABLE', exit: 1 },
  'request.notFound': notFound,
  'request.tooLarge': { http: 413, grpc: 'RESOURCE_EXHAUSTED', exit: 1 },
  'request.forbidden': denied,
  'request.unauthenticated': { http: 401, grpc: 'UNAUTHENTICATED', exit: 1 },
  'request.roleNeeded': denied,
  'request.limited': { http: 429, grpc: 'RESOURCE_EXHAUSTED', exit: 1 },
  'request.inFlight': { http: 409, grpc: 'ABORTED', exit: 1 },
  'request.keyReused': { http: 422, grpc: 'FAILED_PRECONDITION', exit: 1 },
  'request.outdated': { http: 412, grpc: 'FAILED_PRECONDITION', exit: 1 },
  'address.duplicate': precondition,
  'forward.dropped': precondition,
  'port.inUse': precondition,
  'port.denied': denied,
  'data.inUse': precondition,
  'data.unwritable': precondition,
  'data.corrupt': { http: 500, grpc: 'DATA_LOSS', exit: 1 },
  'store.unavailable': away,
  'socket.unreachable': away,
  'engine.unreachable': away,
  'engine.protocol': away,
  'controller.unreachable': away,
  'plane.failed': internal,
  timeout: { http: 504, grpc: 'DEADLINE_EXCEEDED', exit: 1 },
};

export function statusOf(code: ProblemCode): Status {
  return statuses[code];
}
