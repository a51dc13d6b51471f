/** The controller's REST API, as the demo uses it: the same calls that anyone may make. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { createTokenReply } from '@vrouter/api/rest/join-tokens.ts';
import { createPeerReply, peerList } from '@vrouter/api/rest/peers.ts';
import {
  confirmShrinkReply,
  createVrouterReply,
  deletedReply,
  vrouterList,
  vrouterStatus,
} from '@vrouter/api/rest/vrouters.ts';
import { type ProblemCode, problemCodes } from '@vrouter/core/codes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';

export class ControllerApi {
  readonly url: string;
  /** Where the controller has written the token of its administrator. */
  readonly tokenPath: string;

  constructor(port: number, tokenPath: string) {
    this.url = `http://127.0.0.1:${port}`;
    this.tokenPath = tokenPath;
  }

  async healthy(): Promise<true | null> {
    return (await fetch(`${this.url}/healthz`)).ok ? true : null;
  }

  vrouters = () => this.#call('GET', '/v1/vrouters', vrouterList);
  createVrouter = (body: { name: string; listenPort: number }) =>
    this.#call('POST', '/v1/vrouters', createVrouterReply, body);
  confirmShrink = (name: string) => this.#call('POST', `/v1/vrouters/${name}/confirm-shrink`, confirmShrinkReply);
  createToken = (name: string) => this.#call('POST', `/v1/vrouters/${name}/tokens`, createTokenReply, {});
  status = (name: string) => this.#call('GET', `/v1/vrouters/${name}/status`, vrouterStatus);
  peers = (name: string) => this.#call('GET', `/v1/vrouters/${name}/peers`, peerList);
  createPeer = (name: string, body: { name: string; publicKey: string; presharedKey?: string }) =>
    this.#call('POST', `/v1/vrouters/${name}/peers`, createPeerReply, body);
  removePeer = (name: string, peer: string) =>
    this.#call('DELETE', `/v1/vrouters/${name}/peers/${encodeURIComponent(peer)}`, deletedReply);

  async #call<S extends z.ZodType>(method: string, path: string, reply: S, body?: unknown): Promise<z.infer<S>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token()}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json: unknown = await response.json();
    if (response.ok) return reply.parse(json);
    const refused = errorReply.safeParse(json);
    const code = problemCodes.find((known) => known === refused.data?.error.code);
    const message = refused.data?.error.message ?? `${method} ${path} was answered with ${response.status}`;
    throw new ProblemError(problem((code ?? 'internal') satisfies ProblemCode, message));
  }

  #token(): string {
    try {
      return readFileSync(this.tokenPath, 'utf8').trim();
    } catch {
      const hint = `the demo asks its controller with the token in ${this.tokenPath}, which cannot be read; put it back, or make another: node programs/controller/main.ts --data ${dirname(this.tokenPath)} --reset-admin`;
      throw new ProblemError(problem('config.invalid', hint));
    }
  }
}
