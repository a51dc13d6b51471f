import type { SysctlObject } from '../model/objects.ts';

/** A host with links of ours is a router. Every intent that makes one asks for the same switches, which go with the last. */
export const forwarding: readonly SysctlObject[] = [
  { kind: 'sysctl', name: 'net.ipv4.ip_forward', link: null, value: '1' },
  { kind: 'sysctl', name: 'net.ipv6.conf.all.forwarding', link: null, value: '1' },
];
