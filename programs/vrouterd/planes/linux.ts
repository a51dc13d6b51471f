/** The Linux plane put together: sockets of the kernel, the parts of the driver, and who remembers for it. */

import type { NatSessions } from '@vrouter/drivers/contract/counters.ts';
import { JoinedCountingDriver } from '@vrouter/drivers/contract/joined.ts';
import { DnsmasqDriver } from '@vrouter/drivers/dnsmasq/driver.ts';
import { LinuxDriver } from '@vrouter/drivers/linux/driver.ts';
import { Filtering, sessionsOf } from '@vrouter/drivers/linux/filtering.ts';
import { Addresses } from '@vrouter/drivers/linux/forwarding/addresses.ts';
import { NeighbourEntries } from '@vrouter/drivers/linux/forwarding/neighbours.ts';
import { Routes } from '@vrouter/drivers/linux/forwarding/routes.ts';
import { Rules } from '@vrouter/drivers/linux/forwarding/rules.ts';
import { Kernel } from '@vrouter/drivers/linux/kernel.ts';
import type { Ledger } from '@vrouter/drivers/linux/ledger.ts';
import { LeftoverReader } from '@vrouter/drivers/linux/leftovers/leftovers.ts';
import { Links } from '@vrouter/drivers/linux/links/links.ts';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { NFNLGRP_NFTABLES } from '@vrouter/drivers/linux/netlink/nftables/news.ts';
import { Firewall } from '@vrouter/drivers/linux/nftables/firewall.ts';
import { ForwardDrops } from '@vrouter/drivers/linux/strangers/forward.ts';
import { Switches } from '@vrouter/drivers/linux/switches/switches.ts';
import { ROUTING_GROUPS, watchKernel } from '@vrouter/drivers/linux/watch.ts';
import { WireguardDevices } from '@vrouter/drivers/linux/wireguard/devices.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { makeTap } from '@vrouter/host/frames/tun.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';
import { switchFiles } from '@vrouter/host/switches/switches.ts';
import type { Logger } from 'pino';
import { DnsmasqSupervisor } from '../children/dnsmasq/supervisor.ts';
import { unprivilegedUser } from '../children/dnsmasq/user.ts';
import { hostNetworks } from '../doors/local/intents/host-networks.ts';
import { noEngine, type Plane } from './plane.ts';
import { deviceMtu } from './userspace.ts';

/** Of one transaction of the packet filter: some ten thousand published ports. */
const NETFILTER_BYTES = 16 << 20;
/** Numbers of tables for VRFs: above those that people name, and clear of the kernel's own (253 to 255). */
const FIRST_TABLE = 1001;

const fingerprint = (bytes: Uint8Array): string => makeSecret(bytes).fingerprint;
/** Counters begin anew with the machine. */
const bootId = (): string => switchFiles.read('kernel/random/boot_id') ?? '';
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface LinuxOptions {
  readonly ledger: Ledger;
  /** Where the names of networks are, below no folder that is closed to others. */
  readonly namesFolder: string;
  readonly log: Logger;
}

/** Rejects with ProblemError when the kernel has no netlink for us, or what an earlier daemon left does not end. */
export async function linuxPlane({ ledger, namesFolder, log }: LinuxOptions): Promise<Plane> {
  const routing = openNetlink();
  const generic = openNetlink({ protocol: NetlinkProtocol.generic });
  const kernel = new Kernel(new Conversation(routing, pause), ledger, switchFiles);
  const netfilter = openNetlink({ protocol: NetlinkProtocol.netfilter, sendBytes: NETFILTER_BYTES });
  const tables = openNetlink({ protocol: NetlinkProtocol.netfilter, groups: [NFNLGRP_NFTABLES] });
  const tablesOf = new Conversation(netfilter, pause);
  const firewall = new Firewall(tablesOf, tables, true);
  const drops = new ForwardDrops(tablesOf);
  const filtering = new Filtering(firewall, kernel);
  const addresses = new Addresses(kernel);
  const routes = new Routes(kernel);
  const wireguard = new WireguardDevices(kernel, new Conversation(generic, pause), fingerprint);
  const switches = new Switches(switchFiles, ledger, kernel.links);
  const parts = [
    new Links(kernel, filtering, makeTap),
    switches,
    addresses,
    wireguard,
    new NeighbourEntries(kernel),
    routes,
    new Rules(kernel),
    filtering,
  ];
  const sessions = (limit: number): Promise<NatSessions> => sessionsOf(firewall, switchFiles, limit);
  const watched = {
    kernel,
    addresses,
    routes,
    switches,
    isOwn: (port: number) => port === routing.port || port === netfilter.port,
  };
  const driver = new LinuxDriver(kernel, { parts, wireguard, epoch: bootId(), sessions }, (signal) =>
    watchKernel(
      watched,
      {
        routing: openNetlink({ groups: ROUTING_GROUPS, deafTo: routing.port }),
        nftables: openNetlink({ protocol: NetlinkProtocol.netfilter, groups: [NFNLGRP_NFTABLES] }),
      },
      signal,
    ),
  );
  const runAs = unprivilegedUser();
  const resolvers = new DnsmasqSupervisor({ folder: namesFolder, runAs }, log);
  await resolvers.start();
  const names = new DnsmasqDriver({ folder: namesFolder, reader: runAs }, resolvers);
  return {
    driver: new JoinedCountingDriver(driver, names),
    engine: noEngine,
    firstTable: FIRST_TABLE,
    wgSockets: false,
    deviceMtu,
    hostNetworks: () => hostNetworks().filter(({ isOwn }) => isOwn),
    leftovers: new LeftoverReader(kernel.routing, tablesOf, kernel.made),
    forwardDrops: (devices) => drops.look(devices),
    async close() {
      resolvers.close();
      for (const socket of [routing, netfilter, tables]) socket.close();
      generic.close();
    },
  };
}
