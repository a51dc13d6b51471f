/** The Linux plane put together: sockets of the kernel, the parts of the driver, and who remembers for it. */

import { LinuxDriver } from '@vrouter/drivers/linux/driver.ts';
import { Addresses } from '@vrouter/drivers/linux/forwarding/addresses.ts';
import { Routes } from '@vrouter/drivers/linux/forwarding/routes.ts';
import { Kernel } from '@vrouter/drivers/linux/kernel.ts';
import type { Ledger } from '@vrouter/drivers/linux/ledger.ts';
import { Links, type LinkTraits, type TraitKeeper } from '@vrouter/drivers/linux/links/links.ts';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { Switches } from '@vrouter/drivers/linux/switches/switches.ts';
import { WireguardDevices } from '@vrouter/drivers/linux/wireguard/devices.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { makeTap } from '@vrouter/host/frames/tun.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';
import { switchFiles } from '@vrouter/host/switches/switches.ts';

export interface LinuxPlane {
  readonly driver: LinuxDriver;
  close(): void;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Throws ProblemError when the kernel has no netlink for us. */
export function openLinuxPlane(ledger: Ledger): LinuxPlane {
  const routing = openNetlink();
  const generic = openNetlink({ protocol: NetlinkProtocol.generic });
  const kernel = new Kernel(new Conversation(routing, pause), ledger, switchFiles);
  const traits = new Map<string, LinkTraits>();
  const keeper: TraitKeeper = {
    setTraits: async (device, wanted) => {
      if (wanted === null) traits.delete(device);
      else traits.set(device, wanted);
      return null;
    },
    traits: (device) => traits.get(device) ?? null,
  };
  const driver = new LinuxDriver(
    kernel,
    [
      new Links(kernel, keeper, makeTap),
      new Switches(switchFiles, ledger, kernel.links),
      new Addresses(kernel),
      new WireguardDevices(kernel, new Conversation(generic, pause), (bytes) => makeSecret(bytes).fingerprint),
      new Routes(kernel),
    ],
    async function* (signal) {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
    },
  );
  return {
    driver,
    close() {
      routing.close();
      generic.close();
    },
  };
}
