/** Any elements in our sets, as strangers may put them there: whose they are and what they mean is told or not, and nothing throws. */
import { cellId, objectCells } from './cells.ts';
import { writeLabel } from './label.ts';
import { ownerOf, readObject, readTraits } from './objects.ts';
import { baseSets, groupSets, lengthSets, poolSet } from './sets.ts';

export const name = 'drivers/linux/nftables/objects';

const sets = [
  ...baseSets,
  ...groupSets('default'),
  ...lengthSets('red', 4, 24),
  ...lengthSets('default', 6, 64),
  poolSet('0123456789abcdef', 4),
  poolSet('0123456789abcdef', 6),
].map(({ name }) => name);

const label = writeLabel({ name: 'port/default/*/tcp/80', hairpin: false, ports: [1, 2] });

export const seeds: readonly Uint8Array[] = sets.map((_, i) =>
  Uint8Array.of(i, 8, 6, 0, 0, 0, 31, 144, 0, 0, 8, 10, 0, 0, 2, 0, 80, 0, 0, ...(label.ok ? label.value : [])),
);

/** A byte for the set, one for the length of the key and then it, the same for the value, the rest is userdata. */
export function fuzzOne(bytes: Uint8Array): void {
  const set = sets[(bytes[0] ?? 0) % sets.length]!;
  const keyEnd = 2 + (bytes[1] ?? 0);
  const dataEnd = keyEnd + 1 + (bytes[keyEnd] ?? 0);
  const key = bytes.slice(2, keyEnd);
  const value = bytes.slice(keyEnd + 1, dataEnd);
  const userdata = bytes.slice(dataEnd);
  for (const data of [value, null, { code: value[0] ?? 0, chain: new TextDecoder().decode(value) }]) {
    const cell = { set, key, data, userdata };
    cellId(set, key);
    readTraits([cell]);
    const owner = ownerOf(cell);
    const object = owner === null ? null : readObject(owner, [cell, cell], () => 'pool');
    if (object !== null) objectCells(object);
  }
}
