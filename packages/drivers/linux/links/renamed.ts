/** Links of ours that somebody calls otherwise: rules, switches and resolvers know them by their names, so they get these back. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Kernel } from '../kernel.ts';
import { changeLink, type LinkRow } from '../netlink/link.ts';
import { Errno, refusalProblem } from '../netlink/refusal.ts';

/** Told that the packet filter is to know a device by another name. */
export interface NameKeeper {
  renamed(from: string, to: string): Promise<void>;
}

/** TAPs and interfaces of the host have names of their own choice. */
export function isMisnamed(row: LinkRow, link: string, adopted: boolean): boolean {
  return !adopted && row.kind !== 'tun' && row.name !== link;
}

/**
 * Gives the link of an object its name back. Where another device has that by now the link stays what it is called, and what keeps others out
 * of it goes with it. Returns it as it is then, or why it cannot be so.
 */
export async function nameBack(
  kernel: Kernel,
  keeper: NameKeeper,
  row: LinkRow,
  link: string,
): Promise<LinkRow | Problem> {
  const refused = await rename(kernel, row, link);
  if (refused === null) {
    const now = await kernel.links.look(link);
    await keeper.renamed(row.name, link);
    return now ?? problem('plane.failed', `${link} is gone as soon as it has its name again`);
  }
  await kernel.links.look(link);
  await keeper.renamed(link, row.name);
  if (refused.errno !== Errno.EEXIST) return refusalProblem(refused, `${row.name}, which was called ${link}`);
  return problem(
    'object.exists',
    `somebody has called ${link} ${row.name}, and another interface ${link}: take that away, or call it otherwise`,
    'name',
  );
}

/** Kernels before 6.2 rename only what is down, and its IPv4 routes go with that. */
async function rename(kernel: Kernel, { index, up }: LinkRow, link: string) {
  const [refused = null] = await kernel.routing.change([changeLink(index, { name: link })]);
  if (refused?.errno !== Errno.EBUSY || !up) return refused;
  const [, second = null] = await kernel.routing.change([
    changeLink(index, { up: false }),
    changeLink(index, { name: link }),
    changeLink(index, { up: true }),
  ]);
  kernel.goesInSilence(link);
  return second;
}
