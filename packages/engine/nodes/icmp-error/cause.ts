/** Why a packet went no further, as the column `error` carries it: the cause in the low byte, its argument (an MTU) above. */
export const IcmpCause = {
  timeExceeded: 0,
  noRoute: 1,
  hostUnreachable: 2,
  protocolUnreachable: 3,
  portUnreachable: 4,
  tooBig: 5,
} as const;
export type IcmpCause = (typeof IcmpCause)[keyof typeof IcmpCause];

export function tooBigFor(mtu: number): number {
  return IcmpCause.tooBig | (mtu << 8);
}
