/** Follows what other controllers on the same store do: told of each change, and a slow look at everything besides. */
import type { FastifyBaseLogger } from 'fastify';
import type { Roster } from '../agents/roster.ts';
import type { ChangeFeed, FeedSubscription } from '../store/dialect/backend.ts';
import type { Desired } from './desired.ts';

/** Between two looks at everything, ms: what a lost notification costs at most, and how old the other controllers' gateways look. */
const LOOK_MS = 5000;

export class Follower {
  readonly #desired: Desired;
  readonly #roster: Roster;
  readonly #feed: ChangeFeed;
  readonly #log: FastifyBaseLogger;
  #subscription: FeedSubscription | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(desired: Desired, roster: Roster, feed: ChangeFeed, log: FastifyBaseLogger) {
    this.#desired = desired;
    this.#roster = roster;
    this.#feed = feed;
    this.#log = log;
  }

  /** From here on nothing is missed: what was committed before is looked up once listening has begun. */
  async start(): Promise<void> {
    if (!this.#feed.shared) return;
    this.#subscription = await this.#feed.follow((vrouterId) => {
      void (vrouterId === null ? this.#all() : this.#one(vrouterId));
    });
    this.#timer = setInterval(() => void this.#all(), LOOK_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#subscription?.close();
  }

  async #one(vrouterId: string): Promise<void> {
    await this.#try(async () => {
      await this.#desired.refresh(vrouterId);
      await this.#roster.refresh(vrouterId);
    });
  }

  async #all(): Promise<void> {
    await this.#try(async () => {
      await this.#desired.refreshAll();
      await this.#roster.refreshAll();
    });
  }

  /** What fails is looked up again with the next look. */
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      this.#log.warn({ err }, 'cannot follow the other controllers for now');
    }
  }
}
