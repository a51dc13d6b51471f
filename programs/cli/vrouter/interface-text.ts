import type { Vrouter } from '@vrouter/api/rest/vrouters.ts';

/** The WireGuard interface of a vrouter in a line. */
export function interfaceText({ interface: name, mtu, vrf, mssClamp, sourceCheck }: Vrouter): string {
  const guards = [mssClamp && `MSS clamp ${mssClamp}`, sourceCheck && `source check ${sourceCheck}`];
  return [name, `MTU ${mtu}`, ...(vrf === undefined ? [] : [`VRF ${vrf}`]), ...guards.filter(Boolean)].join(', ');
}
