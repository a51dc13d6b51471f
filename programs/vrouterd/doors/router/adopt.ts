/** Takes over what an older router left on this host, when the door is opened: first what it comes to stands, then its own rules go. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Leftovers } from '@vrouter/drivers/linux/leftovers/leftovers.ts';
import type { OldRule } from '@vrouter/drivers/linux/leftovers/rule.ts';
import type { Logger } from 'pino';
import { readOldNames } from './fragments.ts';
import type { RouterIntents } from './intents.ts';
import { adoptionsOf } from './leftovers.ts';
import { RouterState } from './state.ts';

/** Where leftovers are read, links given over to the plane, and rules taken away. */
export interface LeftoverSource {
  read(): Promise<Leftovers>;
  /** The plane may take a link that it has not made; otherwise it takes none. */
  offer(device: string): Promise<void>;
  withdraw(device: string): void;
  remove(rules: readonly OldRule[]): Promise<Problem | null>;
}

/** How long the plane may take for one VLAN, ms. */
const PLANE_MS = 10_000;

/** Rejects with ProblemError when the kernel does not tell what there is. */
export async function adoptLeftovers(intents: RouterIntents, source: LeftoverSource, log: Logger): Promise<void> {
  const host = { ...(await source.read()), names: readOldNames() };
  const { vlans, replaced, left } = adoptionsOf(new RouterState(intents.said()), host);
  for (const what of left) log.warn({ what }, 'of the older router this is left alone');
  let taken = 0;
  for (const { vlanId, change } of vlans) {
    const devices = change.put.flatMap(({ intent }) => (intent.kind === 'network' ? [intent.interface] : []));
    for (const device of devices) await source.offer(device);
    const outcome = await intents.change(change, PLANE_MS);
    if (outcome.kind === 'refused') {
      for (const device of devices) source.withdraw(device);
      log.warn({ vlan: vlanId, why: outcome.problem.message }, 'a VLAN of the older router cannot be taken over');
    } else taken++;
  }
  const gone = replaced.filter(({ by }) => intents.stands(by)).map(({ rule }) => rule);
  const failed = await source.remove(gone);
  if (failed !== null) log.warn({ code: failed.code, why: failed.message }, 'old rules stay beside ours');
  const kept = replaced.length - (failed === null ? gone.length : 0);
  if (vlans.length + replaced.length > 0)
    log.info(
      { vlans: taken, rulesRemoved: replaced.length - kept, rulesKept: kept },
      'took over what the older router left',
    );
}
