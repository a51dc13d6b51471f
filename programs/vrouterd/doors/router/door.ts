/** The door of clients of an older router for container networks: gRPC RouterService. docs/compat/router-service.md has the whole table. */
import type { Logger } from 'pino';
import { grpcHandler } from './grpc.ts';
import { RouterListeners } from './listen.ts';
import type { RouterPlaces } from './places.ts';
import { RouterCalls, type ServiceParts } from './service.ts';

export class RouterDoor {
  readonly listeners: RouterListeners;
  readonly #places: RouterPlaces;
  readonly #log: Logger;

  constructor(parts: ServiceParts, places: RouterPlaces) {
    this.#places = places;
    this.#log = parts.log;
    this.listeners = new RouterListeners(grpcHandler(new RouterCalls(parts), parts.log), parts.log);
  }

  /** Rejects with ProblemError when one of the places cannot be listened on; then none is. */
  async start(): Promise<void> {
    await this.listeners.open(this.#places);
    const { socket } = this.#places;
    const { vsockPort, port } = this.listeners;
    this.#log.info({ socket, tcpPort: port, vsockPort }, 'the router service takes calls');
  }

  async stop(): Promise<void> {
    await this.listeners.close();
  }
}
