/**
 * Which of the file's networks are said before everything that is stored. The file's ages are not kept over a restart, so what was said
 * after it to others would be the elder then, and take the subnet of a network that has been there all the time.
 */
import { prefixesOverlap } from '@vrouter/core/prefix.ts';
import { type HostNetwork, isInPlace, prefixOf } from '@vrouter/intent/compile/overlap.ts';
import { type Intent, intentKey, type NetworkIntent } from '@vrouter/intent/model/intents.ts';
import { readIntent } from '../../agent/sync.ts';
import type { StoredIntent } from '../../store/store.ts';

/**
 * Those that have their subnets on this host now and that nothing stored is or has: neither their id, nor their link, nor a part of a subnet that is
 * in its place as well.
 */
export function firstOfFile(
  file: readonly Intent[],
  stored: readonly StoredIntent[],
  look: () => readonly HostNetwork[],
): readonly Intent[] {
  if (!file.some(({ kind }) => kind === 'network')) return [];
  const host = look();
  const networks = stored.flatMap(({ key, body }) => {
    const intent = readIntent(key, body);
    return intent.ok && intent.value.kind === 'network' ? [intent.value] : [];
  });
  const keys = new Set<string>(stored.map(({ key }) => key));
  const links = new Set(networks.map((one) => one.interface));
  const settled = networks.filter((one) => isThere(one, host));
  return file.filter(
    (intent) =>
      intent.kind === 'network' &&
      !keys.has(intentKey(intent)) &&
      !links.has(intent.interface) &&
      isThere(intent, host) &&
      !settled.some((one) => doOverlap(one, intent)),
  );
}

function isThere({ interface: link, subnets }: NetworkIntent, host: readonly HostNetwork[]): boolean {
  return subnets.every(({ prefix }) => isInPlace(link, prefix, host));
}

function doOverlap(a: NetworkIntent, b: NetworkIntent): boolean {
  return a.subnets.some((one) => b.subnets.some((two) => prefixesOverlap(prefixOf(one.prefix), prefixOf(two.prefix))));
}
