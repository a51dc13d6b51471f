/** Any bytes as rules and chains of other people: never a throw, and what is understood is whole. */
import { messagesOf } from '../netlink/answers.ts';
import { parseDroppingChain, readNames } from '../strangers/forward.ts';
import { parseOldRule } from './rule.ts';
import { portOf, targetOf, textOf } from './xtables.ts';

export const name = 'drivers/linux/leftovers';

// A masquerade of 172.18.0.0/16 with a comment, as iptables writes it; a chain that drops.
export const seeds: readonly Uint8Array[] = [
  'd0000000060a00000000000000000000 02000000 080001006e617400 10000200504f5354524f5554494e4700 0c000300 0000000000000002 94000480 34000180 0c0001007061796c6f616400 24000280 0800010000000001 0800020000000001 080003000000000c 0800040000000002 2c000180 0800010063 6d7000 20000280 0800010000000001 0800020000000000 0c000380 06000100ac120000 30000180 0b000100746172676574 0000 20000280 0f0001004d415351554552414445 0000 0800020000000000',
  '50000000030a00000000000000000000 02000000 0b00010066696c7465720000 0c000300464f5257415244 00 14000480 0800010000000002 0800020000000000 0800050000000000',
].map((hex) => {
  const bytes = Uint8Array.fromHex(hex.replaceAll(' ', ''));
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  return bytes;
});

export function fuzzOne(bytes: Uint8Array): void {
  textOf(bytes);
  for (const protocol of ['tcp', 'udp'] as const) portOf(protocol, bytes);
  for (const name of ['MASQUERADE', 'DNAT'] as const)
    for (const revision of [0, 1, 2, 3]) targetOf(name, revision, bytes);
  const named = { names: new Set<string>(), sets: false };
  for (const message of messagesOf(bytes)) {
    parseDroppingChain(message);
    readNames(message, named);
    const rule = parseOldRule(message);
    if (rule?.meaning?.kind === 'published' && !(rule.meaning.port > 0)) throw new Error('a port of no number');
    if (rule?.meaning?.kind === 'masquerade' && !(rule.meaning.sources.bits >= 0))
      throw new Error('a prefix of no length');
  }
}
