/** From a join string to a certificate at one controller: discover, compare the root, make key and request, register, keep what was given. */
import { hostname } from 'node:os';
import { AGENT_PROTOCOL_VERSION, registerReply } from '@vrouter/api/agent/agent.ts';
import { formatKey } from '@vrouter/core/bytes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { systemCrypto } from '@vrouter/host/crypto/system.ts';
import type { Enrolment, Store } from '../store/store.ts';
import { VERSION } from '../version.ts';
import { validUrls } from './addresses.ts';
import { ControllerClient, discover } from './client.ts';
import type { ControllerClock } from './clock.ts';
import type { Identity } from './identity.ts';
import { type JoinString, tokenHash } from './join-string.ts';
import { makeKeyAndRequest } from './request.ts';

/**
 * Joins, and keeps identity and enrolment. Repeating it after a lost reply or a crash sends the very same request, which the
 * controller answers alike, so the token is not burnt. Throws ProblemError: `tls.fingerprint`, `join.refused`,
 * `controller.unreachable`.
 */
export async function enrol(
  joining: JoinString,
  controllerUrl: string,
  identity: Identity,
  store: Store,
  clock: ControllerClock,
  signal: AbortSignal,
): Promise<Enrolment> {
  const found = await discover(controllerUrl, joining.rootFingerprint, signal);
  if (!found.protocolVersions.includes(AGENT_PROTOCOL_VERSION)) {
    const theirs = found.protocolVersions.join(', ');
    const message = `the controller speaks protocol ${theirs}, this vrouterd ${AGENT_PROTOCOL_VERSION}: update the older one`;
    throw new ProblemError(problem('controller.unreachable', message));
  }
  const pending = await identity.pending(() => makeKeyAndRequest(''));
  const wireguardPublicKey = formatKey(systemCrypto().publicKey(await identity.wireguardKey()));
  const client = new ControllerClient(controllerUrl, found.rootCertificate, null, clock);
  try {
    const body = {
      token: joining.token,
      protocolVersion: AGENT_PROTOCOL_VERSION,
      csr: pending.csr,
      wireguardPublicKey,
      hostname: hostname(),
      version: VERSION,
    };
    const reply = await client.post('/vrouter/register', body, registerReply, signal);
    const enrolment: Enrolment = {
      gatewayId: reply.gatewayId,
      name: reply.name,
      assignedIp: reply.assignedIp,
      wireguardPublicKey,
      controllerUrl,
      controllerId: reply.controllerId,
      rootFingerprint: joining.rootFingerprint,
      joinTokenHash: tokenHash(joining),
    };
    // The certificate goes last: without it a restart simply joins again.
    store.saveEnrolment(enrolment, { join: joining.controllerUrls, learnt: validUrls(reply.controllers ?? []) });
    const root = reply.roots?.join('') ?? found.rootCertificate;
    await identity.save({ key: pending.key, chain: reply.certificateChain.join(''), root });
    return enrolment;
  } finally {
    await client.close();
  }
}
