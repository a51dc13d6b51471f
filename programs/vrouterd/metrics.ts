/** What the daemon tells Prometheus. Peers are counted, not named: their addresses are nobody's business in a metrics store. */
import { certificateState } from '@vrouter/api/agent/lifetime.ts';
import { type ControllerAddress, clockState, controllerAddress, outlook } from '@vrouter/api/gateway/gateway.ts';
import { Gauge, Histogram, Registry } from 'prom-client';
import type { Daemon } from './daemon.ts';
import { VERSION } from './version.ts';

export class Metrics {
  readonly registry = new Registry();
  readonly #gauges = new Map<string, Gauge>();
  readonly #convergence = new Histogram({
    name: 'vrouter_config_convergence_seconds',
    help: "From the commit of a change at the controller to its being read back from the plane, by the controller's clock",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [this.registry],
  });

  constructor() {
    this.#add('vrouterd_info', 'Always 1; the labels tell the version and the plane', ['version', 'plane']);
    this.#add('vrouterd_objects', 'Objects that should be on the plane');
    this.#add('vrouterd_failing', 'Intents and objects that are not as they were said');
    this.#add('vrouterd_reconciles_total', 'Reconcile runs that had something to do');
    this.#add('vrouterd_drift_repaired_total', "Steps that undid somebody else's change");
    this.#add('vrouterd_stored_version', 'Configuration version that is stored');
    this.#add('vrouterd_applied_version', 'Configuration version that the plane was seen to have');
    this.#add('vrouterd_controller_connected', '1 while the last poll was answered');
    this.#add('vrouterd_controller_address', '1 for the state that the address is in: untried, working, failing', [
      'address',
      'state',
    ]);
    this.#add('vrouterd_outlook', '1 for how it stands with the controller, as show controller says', ['condition']);
    this.#add('vrouterd_controller_current', '1 for the address that is asked', ['address']);
    this.#add('vrouterd_controller_last_poll_seconds', 'Seconds since a controller last answered a poll');
    this.#add('vrouterd_certificate_expiry_seconds', 'Seconds until the certificate expires');
    this.#add('vrouterd_certificate_state', '1 for the state that it is in: good, late, critical, ended', ['state']);
    this.#add('vrouterd_clock_offset_seconds', "Controller's clock minus ours");
    this.#add('vrouterd_clock_state', '1 for the state that it is in: good, off (30 s), critical (5 min)', ['state']);
    this.#add('vrouterd_reconcile_steps_total', 'Steps that were tried on the plane');
    this.#add('vrouterd_reconcile_steps_failed_total', 'Steps that failed');
    this.#add('vrouterd_reconcile_last_seconds', 'How long the last reconcile run took');
    this.#add('vrouterd_store_writable', '0 while the database cannot take what it is told: a full disk, a lock');
    this.#add('vrouter_routes', 'Routes by VRF: programmed, failed', ['vrf', 'state']);
    this.#add('vrouter_nat_sessions', 'Translations that are alive');
    this.#add('vrouter_peer_bytes_total', 'Bytes of all peers by direction', ['direction']);
    this.#add('vrouter_plane_up', '1 while the plane answers');
    this.#add('vrouter_peers', 'WireGuard peers on the plane');
    this.#add('vrouter_peers_recent', 'Peers with a handshake in the last 180 s');
    this.#add('vrouter_drops_total', 'Dropped packets by reason', ['reason']);
    this.#add('vrouter_node_packets_total', 'Packets by node of the graph', ['node']);
    this.#add('vrouter_interface_bytes_total', 'Inner bytes by interface and direction', ['interface', 'direction']);
    this.#add('vrouter_interface_packets_total', 'Inner packets by interface and direction', [
      'interface',
      'direction',
    ]);
    this.#add('vrouter_interface_drops_total', 'Packets that were dropped, bad ones too, by interface', ['interface']);
  }

  async update(daemon: Daemon): Promise<void> {
    const status = daemon.agent.status();
    this.#set('vrouterd_info', 1, { version: VERSION, plane: daemon.config.plane });
    this.#set('vrouterd_objects', daemon.desired.size);
    this.#set('vrouterd_failing', daemon.problems().length);
    this.#set('vrouterd_reconciles_total', daemon.reconciler.stats.reconciles);
    this.#set('vrouterd_drift_repaired_total', daemon.reconciler.stats.driftRepaired);
    const { steps, stepsFailed, lastReconcileMs } = daemon.reconciler.stats;
    this.#set('vrouterd_reconcile_steps_total', steps);
    this.#set('vrouterd_reconcile_steps_failed_total', stepsFailed);
    if (lastReconcileMs !== null) this.#set('vrouterd_reconcile_last_seconds', lastReconcileMs / 1000);
    this.#set('vrouterd_store_writable', daemon.keeping.problem === null ? 1 : 0);
    for (const seconds of daemon.convergence.take()) this.#convergence.observe(seconds);
    this.#set('vrouterd_stored_version', daemon.agent.storedVersion);
    this.#set('vrouterd_applied_version', daemon.appliedVersion);
    this.#set('vrouterd_controller_connected', status.state === 'connected' ? 1 : 0);
    this.#addresses(status.addresses ?? []);
    for (const condition of outlook.shape.condition.options)
      this.#set('vrouterd_outlook', status.outlook?.condition === condition ? 1 : 0, { condition });
    if (status.lastPollUnixMs !== null)
      this.#set('vrouterd_controller_last_poll_seconds', (Date.now() - status.lastPollUnixMs) / 1000);
    if (status.certificateExpiresUnixMs !== null)
      this.#set('vrouterd_certificate_expiry_seconds', (status.certificateExpiresUnixMs - Date.now()) / 1000);
    if (status.certificateState != null)
      for (const state of certificateState.options)
        this.#set('vrouterd_certificate_state', status.certificateState === state ? 1 : 0, { state });
    if (status.clockOffsetMs !== null) this.#set('vrouterd_clock_offset_seconds', status.clockOffsetMs / 1000);
    if (status.clockState != null)
      for (const state of clockState.options)
        this.#set('vrouterd_clock_state', status.clockState === state ? 1 : 0, { state });
    // VRFs that are gone go.
    this.#gauges.get('vrouter_routes')!.reset();
    for (const [vrf, { programmed, failed }] of Object.entries(daemon.routeCounts())) {
      this.#set('vrouter_routes', programmed, { vrf, state: 'programmed' });
      this.#set('vrouter_routes', failed, { vrf, state: 'failed' });
    }
    try {
      await this.#plane(daemon);
      // Counters can be read of an engine that is stuck.
      this.#set('vrouter_plane_up', daemon.engine.isSilent ? 0 : 1);
    } catch {
      this.#set('vrouter_plane_up', 0);
    }
  }

  /** Addresses that are no longer known go. */
  #addresses(addresses: readonly ControllerAddress[]): void {
    this.#gauges.get('vrouterd_controller_address')!.reset();
    this.#gauges.get('vrouterd_controller_current')!.reset();
    for (const { url: address, state, isCurrent } of addresses) {
      for (const one of controllerAddress.shape.state.options)
        this.#set('vrouterd_controller_address', one === state ? 1 : 0, { address, state: one });
      this.#set('vrouterd_controller_current', isCurrent ? 1 : 0, { address });
    }
  }

  async #plane(daemon: Daemon): Promise<void> {
    const counters = await daemon.counters();
    const peers = await daemon.learn();
    const recent = Date.now() - 180_000;
    this.#set('vrouter_peers', peers.length);
    this.#set('vrouter_peers_recent', peers.filter((peer) => Number(peer.learned.lastHandshakeUnixMs) > recent).length);
    for (const [reason, count] of Object.entries(counters.drops)) this.#set('vrouter_drops_total', count, { reason });
    for (const [node, count] of Object.entries(counters.nodes))
      this.#set('vrouter_node_packets_total', count, { node });
    const total = (name: 'rxBytes' | 'txBytes'): number =>
      peers.reduce((sum, peer) => sum + Number(peer.learned[name] ?? 0), 0);
    this.#set('vrouter_peer_bytes_total', total('rxBytes'), { direction: 'rx' });
    this.#set('vrouter_peer_bytes_total', total('txBytes'), { direction: 'tx' });
    this.#set('vrouter_nat_sessions', (await daemon.natSessionCount()) ?? 0);
    for (const link of counters.links) {
      this.#set('vrouter_interface_packets_total', link.rxPackets, { interface: link.name, direction: 'rx' });
      this.#set('vrouter_interface_packets_total', link.txPackets, { interface: link.name, direction: 'tx' });
      this.#set('vrouter_interface_drops_total', link.drops, { interface: link.name });
      this.#set('vrouter_interface_bytes_total', link.rxBytes, { interface: link.name, direction: 'rx' });
      this.#set('vrouter_interface_bytes_total', link.txBytes, { interface: link.name, direction: 'tx' });
    }
  }

  #add(name: string, help: string, labelNames: readonly string[] = []): void {
    this.#gauges.set(name, new Gauge({ name, help, labelNames: [...labelNames], registers: [this.registry] }));
  }

  #set(name: string, value: number, labels: { readonly [label: string]: string } = {}): void {
    this.#gauges.get(name)!.set(labels, value);
  }
}
