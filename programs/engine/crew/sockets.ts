/**
 * Sockets for all workers. Each asks for one when it does an action that needs it; the first to ask has the whole group opened, since
 * the kernel numbers sockets in the order in which they join, and the others find theirs ready, or the same problem.
 */
import { type Problem, toProblem } from '@vrouter/core/problem.ts';
import { steeringProgram } from '@vrouter/engine/workers/share.ts';
import { type BoundUdp, closeBound, openSteered } from '@vrouter/host/udp/steered.ts';

interface Group {
  readonly sockets: readonly BoundUdp[] | Problem;
  readonly asked: Set<number>;
}

export class SocketGroups {
  readonly #workers: number;
  /** By number; gone when everybody has asked. */
  readonly #groups: Map<number, Group>;

  constructor(workers: number) {
    this.#workers = workers;
    this.#groups = new Map();
  }

  /** The worker's socket of group `number`, or why there is none. */
  take(
    worker: number,
    number: number,
    options: { readonly address: string; readonly port: number },
  ): BoundUdp | Problem {
    let group = this.#groups.get(number);
    if (group === undefined) {
      group = { sockets: this.#open(options), asked: new Set() };
      this.#groups.set(number, group);
    }
    group.asked.add(worker);
    if (group.asked.size === this.#workers) this.#groups.delete(number);
    return 'code' in group.sockets ? group.sockets : group.sockets[worker]!;
  }

  /** Closes what nobody has taken. */
  close(): void {
    for (const { sockets, asked } of this.#groups.values())
      if (!('code' in sockets))
        for (const [worker, socket] of sockets.entries()) if (!asked.has(worker)) closeBound(socket);
    this.#groups.clear();
  }

  #open(options: { readonly address: string; readonly port: number }): readonly BoundUdp[] | Problem {
    try {
      return openSteered(options, this.#workers, steeringProgram);
    } catch (thrown) {
      return toProblem(thrown);
    }
  }
}
