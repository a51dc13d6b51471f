/** Talks to a peer process over its standard input and output (see ../traffic/commands.ts). */
import { createInterface } from 'node:readline';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { PeerAnswer, PeerCommand, PeerReport } from '../traffic/commands.ts';
import type { Child } from '../world/child.ts';

type Answer = Extract<PeerAnswer, { id: number; ok: true }>;
type WithoutId<C> = C extends unknown ? Omit<C, 'id'> : never;

export class PeerProcess {
  readonly child: Child;
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (why: Error) => void }>();
  readonly #ready: Promise<readonly string[]>;
  #nextId = 1;

  constructor(child: Child) {
    this.child = child;
    this.#ready = new Promise((resolve, reject) => {
      createInterface({ input: child.process.stdout! }).on('line', (line) => {
        const answer = JSON.parse(line) as PeerAnswer;
        if ('event' in answer) resolve(answer.addresses);
        else this.#settle(answer);
      });
      void child.ended.then(() => {
        const why = child.failure('ended');
        reject(why);
        for (const { reject: fail } of this.#waiting.values()) fail(why);
        this.#waiting.clear();
      });
    });
    this.#ready.catch(() => {});
  }

  /** Its addresses, once it is there. */
  ready(): Promise<readonly string[]> {
    return this.#ready;
  }

  async send(what: { to: string; run: number; count: number; size: number; pps: number }): Promise<number> {
    return (await this.#ask({ do: 'send', ...what })).sent!;
  }

  async ping(to: string, count: number): Promise<readonly number[]> {
    return (await this.#ask({ do: 'ping', to, count })).rttMs!;
  }

  async report(): Promise<PeerReport> {
    return (await this.#ask({ do: 'report' })).report!;
  }

  #ask(command: WithoutId<PeerCommand>): Promise<Answer> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.child.hasEnded) return reject(this.child.failure('has ended'));
      this.#waiting.set(id, { resolve, reject });
      this.child.process.stdin!.write(`${JSON.stringify({ id, ...command })}\n`);
    });
  }

  #settle(answer: Extract<PeerAnswer, { id: number }>): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.ok) waiting?.resolve(answer);
    else waiting?.reject(new ProblemError(problem('internal', `${this.child.name}: ${answer.error}`)));
  }
}
