/** Any bytes as what nf_tables and conntrack say: never a throw, and rows that are whole. */
import { messagesOf } from '../answers.ts';
import { parseFlow } from '../conntrack/flow.ts';
import { parseGeneration } from './batch.ts';
import { parseElements } from './element.ts';
import { readNews } from './news.ts';
import { parseRule, sameExpressions } from './rule.ts';
import { parseSet } from './set.ts';
import { parseChain, parseTable } from './table.ts';
import { readComment, readUserdata } from './userdata.ts';

export const name = 'drivers/linux/netlink/nftables';

// A table, a base chain, a rule, a set that counts, elements, a generation, a flow.
export const seeds: readonly Uint8Array[] = [
  '30000000000a00000000000000000000 01000000 0c00010076726f7574657200 08000200 00000000 0800060000027800',
  '50000000030a00000000000000000000 01000000 0c00010076726f7574657200 0800030072617700 0b00070066696c7465720000 0800050000000001 14000480 08000100 00000000 08000200 fffffed4',
  '6c000000060a00000000000000000000 01000000 0c00010076726f7574657200 0a000200706f7274 73000000 34000480 30000180 0e000100696d6d6564696174 65000000 1c000280 0800010000000000 10000280 0c000280 0800010000000001 0900070000036869 00000000',
  '64000000090a00000000000000000000 01000000 0c00010076726f7574657200 090002007365656e 00000000 0800030000000000 080004000000030d 0800050000000008 14001180 0c000100636f756e74657200 04000280',
  '7c0000000c0a00000000000000000000 01000000 0c00010076726f7574657200 0a000200706f7274 34000000 38000380 34000180 10000180 0c000100 060000001f900000 10000280 0c000100 0a00000200500000 0d000600 0007706f72742f3800 0000 0000',
  '1c0000000f0a00000000000000000000 00000000 0800010000000011',
  '9c00000000010000000000000000000002000000 34000180 14000180 08000100c0000202 08000200c0000201 1c000280 05000100 06000000 06000200 9c400000 06000300 1f900000 34000280 14000180 08000100ac120002 08000200c0000202 1c000280 05000100 06000000 06000200 00500000 06000300 9c400000 08000300 000001ae 08000700 00000078 08000c00 12345678',
].map((hex) => {
  const bytes = Uint8Array.fromHex(hex.replaceAll(' ', ''));
  new DataView(bytes.buffer).setUint32(0, bytes.length, true);
  return bytes;
});

export function fuzzOne(bytes: Uint8Array): void {
  readComment(readUserdata(bytes));
  if (!sameExpressions(bytes, bytes)) throw new Error('what is the same is not');
  for (const port of readNews(bytes, 'vrouter').touchedBy) if (!(port >= 0)) throw new Error(`port ${port}`);
  for (const message of messagesOf(bytes)) {
    parseTable(message);
    parseChain(message);
    parseRule(message);
    parseSet(message);
    parseGeneration(message);
    for (const { key, data } of parseElements(message) ?? [])
      if (key === undefined || data === undefined) throw new Error('an element without a key');
    const flow = parseFlow(message);
    if (flow !== null && ![4, 16].includes(flow.original.source.length)) throw new Error('an address of no family');
  }
}
