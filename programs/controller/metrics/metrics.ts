/** What GET /metrics tells (Prometheus). Names and labels carry no addresses and no keys. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Numbers that are looked up when someone asks. */
export interface MetricSources {
  gateways(): { registered: number; connected: number; held: number };
  vrouters(): number;
  lifetime(): Promise<ReadonlyMap<string, number>>;
}

export class Metrics {
  readonly registry = new Registry();
  readonly polls = new Counter({
    name: 'vrouter_controller_polls_total',
    help: 'Polls by what they were answered: nothing, delta, full, retry, replay',
    labelNames: ['result'],
    registers: [this.registry],
  });
  readonly joins = new Counter({
    name: 'vrouter_controller_joins_total',
    help: 'Joins since the start: done, retry, refused, limited',
    labelNames: ['result'],
    registers: [this.registry],
  });
  readonly convergence = new Histogram({
    name: 'vrouter_config_convergence_seconds',
    help: 'From the commit of a change to the gateway telling that it is on its plane',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });
  readonly requests = new Counter({
    name: 'vrouter_controller_rest_requests_total',
    help: 'REST requests by status',
    labelNames: ['status'],
    registers: [this.registry],
  });
  readonly unauthenticated = new Counter({
    name: 'vrouter_controller_unauthenticated_total',
    help: 'REST requests without a good token, by why: missing, malformed, unknown, wrongSecret, revoked, expired, userDisabled, limited',
    labelNames: ['reason'],
    registers: [this.registry],
  });

  /** Adds what is read from elsewhere at each scrape. */
  watch(sources: MetricSources): void {
    collectDefaultMetrics({ register: this.registry });
    const gateways = new Gauge({
      name: 'vrouter_controller_gateways',
      help: 'Gateways: registered, connected, with a poll held now',
      labelNames: ['state'],
      registers: [this.registry],
      collect: () => {
        for (const [state, number] of Object.entries(sources.gateways())) gateways.set({ state }, number);
      },
    });
    const vrouters: Gauge = new Gauge({
      name: 'vrouter_controller_vrouters',
      help: 'Virtual routers',
      registers: [this.registry],
      collect: () => {
        vrouters.set(sources.vrouters());
      },
    });
    const lifetime = new Gauge({
      name: 'vrouter_controller_lifetime',
      help: 'Counts that outlive a restart: joinsDone, joinsRefused, certificatesIssued, changes',
      labelNames: ['what'],
      registers: [this.registry],
      collect: async () => {
        for (const [what, number] of await sources.lifetime()) lifetime.set({ what }, number);
      },
    });
  }
}
