/** The gateway's own socket, as vrouterctl uses it. */
import { request } from 'node:http';
import {
  type InterfaceRow,
  interfaceRow,
  type NatReply,
  natReply,
  type PeerRow,
  peerRow,
  type StatsReply,
  type StatusReply,
  statsReply,
  statusReply,
} from '@vrouter/api/gateway/gateway.ts';
import { z } from 'zod';

export class GatewayApi {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  async peers(): Promise<PeerRow[]> {
    return z.object({ peers: z.array(peerRow) }).parse(await this.#call('GET', '/v1/peers')).peers;
  }

  async interfaces(): Promise<InterfaceRow[]> {
    return z.object({ interfaces: z.array(interfaceRow) }).parse(await this.#call('GET', '/v1/interfaces')).interfaces;
  }

  async status(): Promise<StatusReply> {
    return statusReply.parse(await this.#call('GET', '/v1/status'));
  }

  async nat(): Promise<NatReply> {
    return natReply.parse(await this.#call('GET', '/v1/nat'));
  }

  async stats(): Promise<StatsReply> {
    return statsReply.parse(await this.#call('GET', '/v1/stats'));
  }

  async renewCertificate(): Promise<void> {
    await this.#call('POST', '/v1/certificate/renew');
  }

  async confirmHeld(): Promise<void> {
    await this.#call('POST', '/v1/plan/confirm');
  }

  async stopEngine(): Promise<void> {
    await this.#call('POST', '/v1/engine/stop');
  }

  #call(method: string, path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.socketPath, method, path, timeout: 5000 }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        reply.on('end', () => (reply.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))));
      });
      call.on('timeout', () => call.destroy(new Error(`${path}: no answer in 5 s`)));
      call.on('error', reject).end();
    });
  }
}
