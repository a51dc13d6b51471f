/**
 * Every error code there is. A code never changes its meaning and is never reused; `docs/errors.md` says what to do about each,
 * and a test holds the two together. `api/status.ts` gives each a status for strangers.
 */
export const problemCodes = [
  'internal',
  // input
  'input.invalid',
  'address.invalid',
  'prefix.invalid',
  'key.invalid',
  'name.invalid',
  'config.invalid',
  'usage',
  // intents and objects
  'intent.conflict',
  'intent.notFound',
  'intent.exists',
  'intent.reference',
  'intent.unsupported',
  'intent.refused',
  'intent.held',
  'object.exists',
  'object.notFound',
  'object.dependency',
  // controller
  'vrouter.notFound',
  'vrouter.exists',
  'peer.notFound',
  'peer.exists',
  'peer.overlap',
  'route.notFound',
  'route.exists',
  'interface.notFound',
  'pool.exhausted',
  'network.overlap',
  'join.refused',
  'join.malformed',
  'tls.fingerprint',
  'certificate.required',
  'poll.replay',
  'poll.identity',
  // requests, whatever they ask for
  'request.notFound',
  'request.tooLarge',
  'request.forbidden',
  'request.limited',
  // hosts and programs
  'address.duplicate',
  'port.inUse',
  'port.denied',
  'data.inUse',
  'data.unwritable',
  'data.corrupt',
  'socket.unreachable',
  'engine.unreachable',
  'engine.protocol',
  'controller.unreachable',
  'plane.failed',
  'timeout',
] as const;

export type ProblemCode = (typeof problemCodes)[number];
