/** IANA protocol numbers that somebody here looks at; IPv6 calls them next headers. */
export const IpProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;
