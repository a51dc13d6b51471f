/** Real gateways of tests with several controllers: started, asked, waited for, and not left behind. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StatusReply } from '@vrouter/api/gateway/gateway.ts';
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import type { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { Child } from '../../programs/demo/world/child.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';

const VROUTERD = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));

export class RealGateway implements AsyncDisposable {
  readonly name: string;
  readonly api: GatewayApi;
  readonly #folder: string;
  #child: Child | null = null;

  constructor(folder: string, name: string) {
    this.name = name;
    this.#folder = folder;
    this.api = new GatewayApi(join(folder, name, 'vrouterd.sock'));
  }

  /** `file`: further lines of the configuration file. */
  start(joinString: string | null, file = ''): void {
    const config = join(this.#folder, `${this.name}.yaml`);
    writeFileSync(config, `plane: userspace\ndata: ${join(this.#folder, this.name)}\n${file}`);
    const args = [VROUTERD, '--config', config, ...(joinString === null ? [] : ['--join', joinString])];
    this.#child = new Child({ name: this.name, command: process.execPath, args, logPath: this.#logPath });
  }

  get log(): string {
    return readFileSync(this.#logPath, 'utf8');
  }

  get #logPath(): string {
    return join(this.#folder, `${this.name}.log`);
  }

  /** What it tells Prometheus. */
  metrics(): Promise<string> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.api.socketPath, path: '/metrics', timeout: 5000 }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        reply.on('end', () => resolve(text));
      });
      call.on('error', reject).end();
    });
  }

  /** The engine goes on. */
  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** Its status, once that is as it should be. */
  async until(what: string, is: (status: StatusReply) => boolean, ms = 20_000): Promise<StatusReply> {
    let last: StatusReply | null = null;
    try {
      return await waitFor(what, ms, async () => {
        if (this.#child?.hasEnded === true) throw this.#child.failure('ended');
        last = await this.api.status();
        return is(last) ? last : null;
      });
    } catch (thrown) {
      throw new Error(`${String(thrown)}; ${this.name} says ${JSON.stringify(last)}\n${this.log.slice(-4000)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api.stopEngine().catch(() => {});
    await this.stop();
  }
}

/** Makes a vrouter; its join string. */
export async function makeVrouter(controller: ControllerProcess, name: string): Promise<string> {
  const body = { name, listenPort: await freeUdpPort() };
  return (await ok<CreateVrouterReply>(controller.call('POST', '/v1/vrouters', body))).join.string;
}

/** Makes a peer with a key of its own; the version that this made, and the key. */
export async function makePeer(
  controller: ControllerProcess,
  vrouter: string,
  name: string,
): Promise<{ readonly version: number; readonly publicKey: string }> {
  const { publicKey } = await newKeyPair();
  const body = { name, publicKey };
  const { version } = await ok<CreatePeerReply>(controller.call('POST', `/v1/vrouters/${vrouter}/peers`, body));
  return { version, publicKey };
}

export async function ok<T>(call: Promise<{ status: number; json: unknown }>): Promise<T> {
  const { status, json } = await call;
  if (status >= 300) throw new Error(`${status} ${JSON.stringify(json)}`);
  return json as T;
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  return port;
}
