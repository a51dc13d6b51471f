/** The door of clients of an older router for container networks: gRPC RouterService. docs/compat/router-service.md has the whole table. */
import type { Logger } from 'pino';
import type { LeftoverSource } from './adopt.ts';
import { grpcHandler } from './grpc.ts';
import { RouterListeners } from './listen.ts';
import type { RouterPlaces } from './places.ts';
import { RouterCalls, type ServiceParts } from './service.ts';

export class RouterDoor {
  readonly listeners: RouterListeners;
  readonly #places: RouterPlaces;
  readonly #log: Logger;
  readonly #calls: RouterCalls;

  constructor(parts: ServiceParts, places: RouterPlaces) {
    this.#places = places;
    this.#log = parts.log;
    this.#calls = new RouterCalls(parts);
    this.listeners = new RouterListeners(grpcHandler(this.#calls, parts.log), parts.log);
  }

  /** Rejects with ProblemError when one of the places cannot be listened on; then none is. */
  async start(): Promise<void> {
    await this.listeners.open(this.#places);
    const { socket } = this.#places;
    const { vsockPort, port } = this.listeners;
    this.#log.info({ socket, tcpPort: port, vsockPort }, 'the router service takes calls');
  }

  /** Takes over what an older router left on this host; calls wait so long. */
  adopt(source: LeftoverSource): Promise<void> {
    return this.#calls.adopt(source);
  }

  async stop(): Promise<void> {
    await this.listeners.close();
  }
}
