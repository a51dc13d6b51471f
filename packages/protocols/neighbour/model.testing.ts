/** Neighbour unreachability detection as plainly as it can be written: a map, and a look at all of it at every millisecond that matters. */
export interface Known {
  mac: number;
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe';
  /** When the state ends by itself; questions asked in it. */
  until: number;
  asked: number;
}

const REACHABLE = 30_000;
const DELAY = 5000;
const RETRANS = 1000;

export class Model {
  readonly known = new Map<string, Known>();
  /** `<ms> <address>` for each question. */
  readonly questions: string[] = [];
  now = 0;

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.known].filter(([, one]) => ['incomplete', 'delay', 'probe'].includes(one.state));
      const next = Math.min(...due.map(([, one]) => one.until));
      if (next > end) break;
      this.now = next;
      for (const [address, one] of due) {
        if (one.until !== next) continue;
        if (one.state === 'delay') Object.assign(one, { state: 'probe', asked: 0 });
        if (one.asked === 3) this.known.delete(address);
        else this.#ask(address, one);
      }
    }
    this.now = end;
  }

  send(address: string): void {
    const one = this.known.get(address);
    if (one === undefined) {
      const fresh: Known = { mac: -1, state: 'incomplete', until: 0, asked: 0 };
      this.known.set(address, fresh);
      this.#ask(address, fresh);
      return;
    }
    const old = one.state === 'stale' || (one.state === 'reachable' && one.until <= this.now);
    if (old) Object.assign(one, { state: 'delay', until: this.now + DELAY });
  }

  heard(address: string, mac: number): void {
    const one = this.known.get(address);
    if (one === undefined) this.known.set(address, { mac, state: 'stale', until: 0, asked: 0 });
    else if (one.mac !== mac) Object.assign(one, { mac, state: 'stale' });
  }

  advertised(address: string, mac: number | null, solicited: boolean, override: boolean): void {
    const one = this.known.get(address);
    if (one === undefined) return;
    const state = solicited ? 'reachable' : 'stale';
    const until = this.now + REACHABLE;
    if (one.state === 'incomplete') {
      if (mac !== null) Object.assign(one, { mac, state, until });
      return;
    }
    const differs = mac !== null && mac !== one.mac;
    if (differs && !override) {
      if (one.state === 'reachable') one.state = 'stale';
      return;
    }
    if (differs) Object.assign(one, { mac, state, until });
    else if (solicited) Object.assign(one, { state, until });
  }

  #ask(address: string, one: Known): void {
    this.questions.push(`${this.now} ${address}`);
    one.asked++;
    one.until = this.now + RETRANS;
  }
}
