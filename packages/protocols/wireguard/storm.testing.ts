/**
 * All the trouble that a pair of devices can have, drawn from a seed: loss, duplication, reordering, corruption, partitions, either end
 * restarted or suspended, wall clocks that jump, an address that changes. When it ends, the pair must talk again within the paper's
 * limits, and nothing may have arrived twice or changed.
 *
 * One mixture is left out because no WireGuard survives it: an end that both moves and restarts with its wall clock set back cannot be
 * found, and is not believed (section 5.1). So a seed has jumping wall clocks or a moving end, not both.
 */
import assert from 'node:assert/strict';
import { type Rng, seededRng } from '@vrouter/core/rng.ts';
import { KEEPALIVE_TIMEOUT_MS, REJECT_AFTER_TIME_MS, REKEY_TIMEOUT_JITTER_MS, REKEY_TIMEOUT_MS } from './constants.ts';
import { endpoint, FAIR, type Host, Net, packet } from './net.testing.ts';

/**
 * One end thinks that it has a session and the other has none. The first notices after KEEPALIVE_TIMEOUT + REKEY_TIMEOUT (6.5), and may
 * have to wait for REKEY_TIMEOUT since its last initiation (6.2), each with jitter; round trips take next to nothing.
 */
export const RECOVERY_MS = KEEPALIVE_TIMEOUT_MS + 2 * (REKEY_TIMEOUT_MS + REKEY_TIMEOUT_JITTER_MS) + 500;
const TALK_EVERY_MS = 250;
const ROUNDS = 60;

export interface StormReport {
  /** From the end of the trouble until both ends had heard a packet said after it. */
  readonly recoveryMs: number;
  readonly troubles: { readonly [kind: string]: number };
}

/** Runs a seed to its end; throws where a promise is broken. */
export function storm(seed: number): StormReport {
  const world = new Storm(seed);
  for (let round = 0; round < ROUNDS; round++) world.trouble();
  const recoveryMs = world.recover();
  world.rest();
  return { recoveryMs, troubles: world.troubles };
}

class Storm {
  readonly troubles: { [kind: string]: number } = {};
  readonly #dice: Rng;
  readonly #net: Net;
  readonly #a: Host;
  readonly #b: Host;
  readonly #roams: boolean;
  readonly #said = { a: new Set<string>(), b: new Set<string>() };
  #words = 0;

  constructor(seed: number) {
    this.#dice = seededRng(seed * 104_729 + 1);
    this.#net = new Net(seed);
    this.#a = this.#net.host('a', '192.0.2.1:1001');
    this.#b = this.#net.host('b', '192.0.2.2:1002');
    this.#roams = seed % 2 === 1;
    this.#introduce(this.#a);
    this.#introduce(this.#b);
    this.#weather();
  }

  trouble(): void {
    const host = this.#below(2) === 0 ? this.#a : this.#b;
    const kinds = [
      'talk',
      'talk',
      'talk',
      'pass',
      'long',
      'restart',
      'sleep',
      'weather',
      'partition',
      'strange',
    ] as const;
    const kind = kinds[this.#below(kinds.length)]!;
    this.troubles[kind] = (this.troubles[kind] ?? 0) + 1;
    switch (kind) {
      case 'talk':
        for (let i = this.#below(12); i >= 0; i--) {
          if (this.#below(4) !== 0) this.#say(this.#a);
          if (this.#below(4) !== 0) this.#say(this.#b);
          this.#pass(this.#below(3000));
        }
        return;
      case 'pass':
        this.#pass(this.#below(30_000));
        return;
      case 'long':
        this.#pass(this.#below(700_000));
        return;
      case 'restart':
        host.restart();
        this.#introduce(host);
        return;
      case 'sleep':
        host.sleep();
        this.#pass(this.#below(4) === 0 ? this.#below(600_000) : this.#below(20_000));
        this.#say(host === this.#a ? this.#b : this.#a);
        this.#pass(this.#below(20_000));
        host.wake();
        return;
      case 'weather':
        this.#weather();
        return;
      case 'partition': {
        const before = this.#net.weather;
        this.#net.weather = { ...before, loss: 1 };
        for (let i = this.#below(20); i >= 0; i--) {
          this.#say(this.#below(2) === 0 ? this.#a : this.#b);
          this.#pass(this.#below(10_000));
        }
        this.#net.weather = before;
        return;
      }
      case 'strange':
        if (this.#roams) this.#a.endpoint = endpoint(`192.0.2.1:${2000 + this.#below(30_000)}`);
        else host.skewMs += (this.#below(2) === 0 ? 1 : -1) * this.#below(7_200_000);
        return;
    }
  }

  /** Ends the trouble and lets both talk; how long until both have heard. */
  recover(): number {
    this.#net.weather = FAIR;
    // What is still under way belongs to the trouble; a packet of it heard now would be no proof.
    this.#net.clear();
    const began = this.#net.now;
    const first = this.#words;
    const heard = (host: Host): boolean => texts(host).some((text) => Number(text) >= first);
    while (!heard(this.#a) || !heard(this.#b)) {
      const took = this.#net.now - began;
      assert.ok(took <= RECOVERY_MS, `no way back after ${took} ms: a ${heard(this.#a)}, b ${heard(this.#b)}`);
      this.#say(this.#a);
      this.#say(this.#b);
      this.#pass(TALK_EVERY_MS);
    }
    const recoveryMs = this.#net.now - began;
    this.#outlive();
    // From here on no packet is lost, across renewals too.
    for (let i = 0; i < 50; i++) this.#exchange(5000);
    return recoveryMs;
  }

  /**
   * A session from before may be older for one end than for the other, which was suspended: it can break once more, within the same
   * limits. After REJECT_AFTER_TIME there is none of them left.
   */
  #outlive(): void {
    const heardAt = { a: this.#net.now, b: this.#net.now };
    for (const end = this.#net.now + REJECT_AFTER_TIME_MS + RECOVERY_MS; this.#net.now < end; ) {
      const before = { a: this.#a.delivered.length, b: this.#b.delivered.length };
      this.#say(this.#a);
      this.#say(this.#b);
      this.#pass(1000);
      if (this.#a.delivered.length > before.a) heardAt.a = this.#net.now;
      if (this.#b.delivered.length > before.b) heardAt.b = this.#net.now;
      const silence = this.#net.now - Math.min(heardAt.a, heardAt.b);
      assert.ok(silence <= RECOVERY_MS, `silence of ${silence} ms after the way back`);
    }
  }

  /** Afterwards nothing was doubled, nothing was made up, and no key is left. */
  rest(): void {
    for (const [host, words] of [
      [this.#a, this.#said.b],
      [this.#b, this.#said.a],
    ] as const) {
      const got = texts(host);
      assert.equal(new Set(got).size, got.length, 'a packet came twice');
      for (const text of got) assert.ok(words.has(text), `nobody said ${text}`);
      assert.ok(host.crypto.ciphers <= 6, `${host.crypto.ciphers} ciphers live`);
    }
    this.#pass(1_000_000);
    assert.deepEqual([this.#a.crypto.ciphers, this.#b.crypto.ciphers], [0, 0]);
  }

  #exchange(ms: number): void {
    const words = [this.#say(this.#b), this.#say(this.#a)];
    this.#pass(ms);
    assert.deepEqual([texts(this.#a).at(-1), texts(this.#b).at(-1)], words, 'lost in fair weather');
  }

  #say(host: Host): string {
    const text = String(this.#words++);
    if (host.asleep) return text;
    const [from, to] = host === this.#a ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.2', '10.0.0.1'];
    host.say(packet(from!, to!, new TextEncoder().encode(text)));
    (host === this.#a ? this.#said.a : this.#said.b).add(text);
    return text;
  }

  #introduce(host: Host): void {
    const a = host === this.#a;
    // The other's configured address, wherever it is now.
    const to = endpoint(a ? '192.0.2.2:1002' : '192.0.2.1:1001');
    const other = a ? this.#b : this.#a;
    const peer = host.knows(other, [a ? '10.0.0.2/32' : '10.0.0.1/32'], true);
    host.device.setPeer({ publicKey: peer.publicKey, endpoint: to }, host.now);
  }

  #weather(): void {
    this.#net.weather = {
      loss: this.#below(60) / 100,
      duplicate: this.#below(30) / 100,
      corrupt: this.#below(20) / 100,
      delayMs: [1, 1 + this.#below(3000)],
    };
  }

  #pass(ms: number): void {
    this.#net.at(this.#net.now + ms);
  }

  #below(bound: number): number {
    return this.#dice.uint32() % bound;
  }
}

function texts(host: Host): string[] {
  return host.delivered.map(({ bytes }) => new TextDecoder().decode(bytes.subarray(20)));
}
