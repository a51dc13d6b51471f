/** Every reason for which a packet ends here, each with a counter. Numbers are for this life only, names are for ever. */
export const dropReasons = [
  'none',
  // a port that exchanges super-packets, before its input node
  'offloadMalformed',
  // ethernet-input
  'ethernetShort',
  'ethernetNotOurs',
  'ethernetSource',
  'ethernetVlan',
  'ethernetType',
  'ethernetBroadcast',
  // neighbour-input
  'neighbourMalformed',
  'neighbourNotOurs',
  'neighbourConflict',
  'neighbourLimited',
  // ip-input
  'ipVersion',
  'ipv4Short',
  'ipv4HeaderLength',
  'ipv4TotalLength',
  'ipv4Checksum',
  'ipv6Short',
  'ipv6PayloadLength',
  'martianSource',
  'martianDestination',
  'multicast',
  // source-check
  'reversePath',
  // ip-lookup
  'noRoute',
  'blackhole',
  // local
  'noListener',
  'icmpShort',
  'icmpChecksum',
  'ipv4Options',
  'fragmentMalformed',
  'fragmentDuplicate',
  'fragmentOverlap',
  'fragmentTimeout',
  'fragmentsFull',
  // ip-rewrite
  'ttlExpired',
  'linkLocal',
  // nat-out, nat-in
  'natTableFull',
  'natHostLimit',
  'natPortsExhausted',
  'natNoAddress',
  'natNoSession',
  'natFiltered',
  'natFragment',
  'natProtocol',
  'natShort',
  // link-output
  'linkDown',
  'mtuExceeded',
  'madeFull',
  // wireguard-output
  'noPeer',
  // ethernet-output
  'neighboursFull',
  'neighbourQueue',
  'directedBroadcast',
  // neighbour-lost
  'neighbourUnreachable',
  // the socket below a port

  'socketFull',
  'sendRefused',
  'workerFull',
] as const;

export type DropName = (typeof dropReasons)[number];

/** Reason numbers by name. */
export const Drop = Object.freeze(
  Object.fromEntries(dropReasons.map((name, number) => [name, number])) as { [N in DropName]: number },
);
