/** What became of a packet whose sender should hear why it went no further. Each has a counter; the packet's own drop is counted apart. */
export const icmpOutcomes = [
  // sent
  'timeExceeded',
  'unreachable',
  'tooBig',
  // not sent: RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e)
  'aboutOurs',
  'aboutError',
  'aboutFragment',
  'aboutMulticast',
  'aboutMartian',
  'aboutMalformed',
  // not sent: RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)
  'rateGlobal',
  'rateDestination',
  // not sent: the link has no address of the family, or there is no memory left in this batch
  'noAddress',
  'noMemory',
] as const;

export type IcmpOutcomeName = (typeof icmpOutcomes)[number];

/** Outcome numbers by name. */
export const IcmpOutcome = Object.freeze(
  Object.fromEntries(icmpOutcomes.map((name, number) => [name, number])) as { [N in IcmpOutcomeName]: number },
);
