/** Any bytes as the kernel's answer: never a throw, never a success that nobody gave, and rows that can be written down. */
import { addressLength, parseAddress } from './address.ts';
import { messagesOf, verdictOf } from './answers.ts';
import { parseFamily } from './generic.ts';
import { parseLink } from './link.ts';
import { AF_INET, AF_INET6 } from './message.ts';
import { parseForwarding, parseNeighbour } from './neighbour.ts';
import { parseForwardingNews } from './netconf.ts';
import { parseRoute } from './route.ts';
import { parseRule } from './rule.ts';
import { joinDevice, parseDevice } from './wireguard.ts';

export const name = 'drivers/linux/netlink';

const answers = [0, -17].map((error) => {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 36, true);
  view.setUint16(4, 2, true);
  view.setInt32(16, error, true);
  return bytes;
});

export const seeds: readonly Uint8Array[] = [
  ...answers,
  // A VLAN, an address, a route with two hops, a rule, a neighbour, a WireGuard device.
  ...[
    '4c00000010000100000000000000000000000000030000004310010000000000 0a0003006574682e3500 0000 18001200 0900010 0766c616e 000000000c000280 060001000500 0000',
    '280000001400050600000000000000000218000007000000 080002000a630001 080001000a630001',
    '44000000180001060000000000000000 0218000000760001 00000000 080001000a4d0000 20000900 10000000 02000000 080005000a4d0001 10000000 03000000 080005000a4d0002',
    '30000000200001060000000000000000 020000000000000100000000 08000600e8030000 08000f00c8000000',
    '380000001c0001060000000000000000 02000000070000008000000 0 080001000a630002 0a000200020000000002 0000',
    `7c0000001d000100000000000000000000010000 08000100070000000600060039300000 5c000880 58000080 24000100${'07'.repeat(32)} 14000400 02003039c0000207 0000000000000000 1c000980 18000080 06000100020000000800 02000a4200020500030020000000`,
  ].map((hex) => Uint8Array.fromHex(hex.replaceAll(' ', ''))),
];

export function fuzzOne(bytes: Uint8Array): void {
  for (const message of messagesOf(bytes)) {
    if (message.end > bytes.length) throw new Error('a message goes beyond its datagram');
    const verdict = verdictOf(message);
    if (verdict === null && message.type !== 2 && message.type !== 3) throw new Error('this was no verdict');
    if (verdict && !(verdict.errno > 0)) throw new Error(`errno ${verdict.errno}`);
    parseLink(message);
    parseNeighbour(message);
    parseForwardingNews(message);
    parseForwarding(message);
    parseFamily(message);
    const device = parseDevice(message, message.type);
    if (device !== null) joinDevice([device, device]);
    const prefixes = [parseAddress(message)?.address, parseRoute(message)?.prefix, parseRule(message)?.from];
    for (const prefix of prefixes)
      if (prefix && ![AF_INET, AF_INET6].some((family) => addressLength(family) === prefix.address.length))
        throw new Error('an address of no family');
  }
}
