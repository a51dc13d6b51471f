/** What GET /metrics tells (Prometheus). Names and labels carry no addresses and no keys. */
import { type CertificateState, certificateState } from '@vrouter/api/agent/lifetime.ts';
import { type Controller, controller } from '@vrouter/api/rest/controllers.ts';
import type { Rotating } from '@vrouter/api/rest/vrouters.ts';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { describeIssuer } from '../ca/describe.ts';
import type { TrustedIssuer } from '../ca/provider.ts';

/** One gateway's certificate. */
export interface CertificateMetric {
  readonly vrouter: string;
  readonly state: CertificateState;
  readonly expirySeconds: number;
  readonly lockoutSeconds: number;
}

/** Numbers that are looked up when someone asks. */
export interface MetricSources {
  gateways(): { registered: number; connected: number; held: number };
  /** Gateways whose key a controller has made. */
  madeKeys(): number;
  vrouters(): number;
  lifetime(): Promise<ReadonlyMap<string, number>>;
  certificates(): Iterable<CertificateMetric>;
  /** By name of the vrouter. */
  rotating(): Promise<ReadonlyMap<string, Rotating>>;
  controllers(): readonly Controller[];
  /** By vrouter: the controller's clock minus its gateway's, s. */
  clockOffsets(): Iterable<readonly [vrouter: string, seconds: number]>;
  authority(): { readonly working: boolean; readonly issuers: readonly TrustedIssuer[] };
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

  readonly logins = new Counter({
    name: 'vrouter_controller_logins_total',
    help: 'Logins by OpenID Connect since the start: done, unavailable, limited, or why they were refused',
    labelNames: ['result'],
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
    const madeKeys: Gauge = new Gauge({
      name: 'vrouter_controller_made_keys',
      help: 'Gateways whose key a controller has made (--allow-controller-made-keys), and that have not renewed since',
      registers: [this.registry],
      collect: () => madeKeys.set(sources.madeKeys()),
    });
    const vrouters: Gauge = new Gauge({
      name: 'vrouter_controller_vrouters',
      help: 'Virtual routers',
      registers: [this.registry],
      collect: () => {
        vrouters.set(sources.vrouters());
      },
    });
    const controllers = new Gauge({
      name: 'vrouter_controller_controllers',
      help: 'Controllers that share this store, by state: running, stopped, lost',
      labelNames: ['state'],
      registers: [this.registry],
      collect: () => {
        for (const state of controller.shape.state.options) controllers.set({ state }, 0);
        for (const { state } of sources.controllers()) controllers.inc({ state });
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
    const rotating: Gauge<'vrouter' | 'state'> = new Gauge({
      name: 'vrouter_controller_rotating_peers',
      help: 'Peers whose keys a rotation is changing, by vrouter: waiting, offered, stragglers (not changed in time)',
      labelNames: ['vrouter', 'state'],
      registers: [this.registry],
      collect: async () => {
        const found = await sources.rotating();
        rotating.reset();
        for (const [vrouter, counts] of found)
          for (const [state, count] of Object.entries(counts)) rotating.set({ vrouter, state }, count);
      },
    });
    const offsets: Gauge<'vrouter'> = new Gauge({
      name: 'vrouter_controller_clock_offset_seconds',
      help: "This clock minus the gateway's, by vrouter, as the gateway measured it",
      labelNames: ['vrouter'],
      registers: [this.registry],
      collect: () => {
        offsets.reset();
        for (const [vrouter, seconds] of sources.clockOffsets()) offsets.set({ vrouter }, seconds);
      },
    });
    this.#watchCertificates(sources);
    this.#watchAuthority(sources);
  }

  /** Of a REST that speaks TLS. */
  watchRestCertificate(certificate: { readonly expiresUnixMs: number; readonly failing: boolean }): void {
    const expiry: Gauge = new Gauge({
      name: 'vrouter_controller_rest_certificate_expiry_seconds',
      help: 'Seconds until the end of the certificate that REST shows',
      registers: [this.registry],
      collect: () => expiry.set((certificate.expiresUnixMs - Date.now()) / 1000),
    });
    const failing: Gauge = new Gauge({
      name: 'vrouter_controller_rest_certificate_failing',
      help: '1 while the files of the certificate have changed and cannot be used, so that the one of before is shown',
      registers: [this.registry],
      collect: () => failing.set(certificate.failing ? 1 : 0),
    });
  }

  /** Each gauge looks by itself: which of them is asked first is the registry's affair. */
  #watchCertificates(sources: MetricSources): void {
    const byVrouter = (name: string, help: string, value: (one: CertificateMetric) => number): void => {
      const gauge = new Gauge({
        name,
        help,
        labelNames: ['vrouter'],
        registers: [this.registry],
        collect: () => {
          // Those that were revoked go.
          gauge.reset();
          for (const one of sources.certificates()) gauge.set({ vrouter: one.vrouter }, value(one));
        },
      });
    };
    byVrouter(
      'vrouter_controller_certificate_expiry_seconds',
      "Seconds until the end of a gateway's certificate, by vrouter",
      (one) => one.expirySeconds,
    );
    byVrouter(
      'vrouter_controller_certificate_lockout_seconds',
      'Seconds until a gateway can no longer renew and must join anew, by vrouter; negative when it is past',
      (one) => one.lockoutSeconds,
    );
    const states: Gauge<'state'> = new Gauge({
      name: 'vrouter_controller_certificates',
      help: 'Gateways by the state of their certificate: good, late (70 % of its life), critical (85 %), ended',
      labelNames: ['state'],
      registers: [this.registry],
      collect: () => {
        for (const state of certificateState.options) states.set({ state }, 0);
        for (const { state } of sources.certificates()) states.inc({ state });
      },
    });
  }

  #watchAuthority(sources: MetricSources): void {
    const working: Gauge = new Gauge({
      name: 'vrouter_controller_ca_working',
      help: '1 while the certificate authority does what it is asked',
      registers: [this.registry],
      collect: () => working.set(sources.authority().working ? 1 : 0),
    });
    const expiry: Gauge = new Gauge({
      name: 'vrouter_controller_ca_issuer_expiry_seconds',
      help: 'Seconds until the end of the intermediate that issues',
      registers: [this.registry],
      collect: () => {
        const active = sources.authority().issuers.find((issuer) => issuer.active);
        if (active !== undefined) expiry.set((describeIssuer(active).notAfterUnixMs - Date.now()) / 1000);
      },
    });
  }
}
