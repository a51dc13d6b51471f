/** Rules that send traffic of a kind to a VRF's table: one of the kernel's for each family that the match may be of. */
import { formatPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey, Observed, RuleMatch, RuleObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { RT_TABLE_MAIN, tableOf } from '../links/vrfs.ts';
import { AF_INET, AF_INET6 } from '../netlink/message.ts';
import { Errno } from '../netlink/refusal.ts';
import { ROUTE_PROTOCOL } from '../netlink/route.ts';
import { askRules, createRule, deleteRule, parseRule, type Rule, type RuleRow } from '../netlink/rule.ts';
import { applyEach, type Part } from '../part.ts';

export class Rules implements Part {
  readonly kinds = ['rule'] as const;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const rows = new Map<string, RuleRow[]>();
    for (const row of await this.#ours()) {
      const vrf = this.#vrfOf(row);
      if (vrf === null) continue;
      const key = `rule/${vrf}/${row.priority}`;
      rows.set(key, [...(rows.get(key) ?? []), row]);
    }
    const keys = scope === 'all' ? [...rows.keys()] : scope;
    return keys.flatMap((key) => this.#see(key as ObjectKey, rows.get(key) ?? []));
  }

  apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    return applyEach(this, steps, async (step) => {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind !== 'rule') throw new TypeError(`${object.kind} is no rule`);
      return step.op === 'delete' ? this.#remove(step.key) : this.#set(step.key, object);
    });
  }

  /** What is new first, then what should be gone: traffic never falls through. */
  async #set(key: ObjectKey, object: RuleObject): Promise<Problem | null> {
    const table = tableOf(this.#kernel.links, object.vrf)?.table;
    if (table === undefined) return problem('object.dependency', `the VRF ${object.vrf} is not there`, 'vrf');
    const { incoming } = object.match;
    const device = incoming === null ? null : (this.#kernel.links.of(incoming)?.name ?? undefined);
    if (device === undefined) return problem('object.dependency', `the link ${incoming} is not there`, 'match');
    const wanted = rulesOf(object, table, device);
    const before = await this.#rowsOf(key);
    const failed = await this.#kernel.do(wanted.map(createRule), key, [Errno.EEXIST]);
    if (failed !== null) return failed;
    const extra = before.filter((row) => !wanted.some((rule) => textOf(rule) === textOf(row)));
    return this.#kernel.do(extra.map(deleteRule), key, [Errno.ENOENT]);
  }

  async #remove(key: ObjectKey): Promise<Problem | null> {
    return this.#kernel.do((await this.#rowsOf(key)).map(deleteRule), key, [Errno.ENOENT]);
  }

  async #rowsOf(key: ObjectKey): Promise<RuleRow[]> {
    const [, vrf, priority] = key.split('/');
    return (await this.#ours()).filter((row) => this.#vrfOf(row) === vrf && row.priority === Number(priority));
  }

  async #ours(): Promise<RuleRow[]> {
    const rows: RuleRow[] = [];
    for (const family of [AF_INET, AF_INET6])
      rows.push(...(await this.#kernel.routing.dump(askRules(family), 'rules', parseRule)));
    return rows.filter(({ protocol }) => protocol === ROUTE_PROTOCOL);
  }

  #vrfOf({ table }: Rule): string | null {
    if (table === null || table === 'vrf') return null;
    return table === RT_TABLE_MAIN ? 'default' : this.#kernel.links.vrfOf(table);
  }

  /** Rules of one key that do not go together are told as the first of them, so that they are made anew. */
  #see(key: ObjectKey, rows: readonly RuleRow[]): Observed[] {
    const first = rows[0];
    if (first === undefined) return [];
    const [, vrf = ''] = key.split('/');
    const matches = new Map(rows.map((row) => [JSON.stringify(this.#matchOf(row)), this.#matchOf(row)]));
    const needed = first.from === null && first.to === null ? 2 : 1;
    const whole = matches.size === 1 && rows.length === needed;
    const match = this.#matchOf(first);
    // A mark that nobody can say shows that one of the two families is missing, or that there are too many.
    const told = whole ? match : { ...match, mark: { value: 0, mask: 0 } };
    return [{ key, object: { kind: 'rule', vrf, priority: first.priority, match: told }, learned: {} }];
  }

  #matchOf({ from, to, incoming, mark }: Rule): RuleMatch {
    const row = incoming === null ? undefined : this.#kernel.links.device(incoming);
    return {
      source: from === null ? null : formatPrefix(from),
      destination: to === null ? null : formatPrefix(to),
      incoming: row === undefined ? incoming : (this.#kernel.links.nameOf(row) ?? incoming),
      mark: mark === null ? null : { value: mark[0], mask: mark[1] },
    };
  }
}

function rulesOf({ priority, match }: RuleObject, table: number, incoming: string | null): Rule[] {
  const from = prefixOf(match.source);
  const to = prefixOf(match.destination);
  const length = (from ?? to)?.address.length;
  const families = length === undefined ? [AF_INET, AF_INET6] : [length === 4 ? AF_INET : AF_INET6];
  const mark = match.mark === null ? null : ([match.mark.value, match.mark.mask] as const);
  return families.map((family) => ({ family, priority, from, to, incoming, outgoing: null, mark, table }));
}

function prefixOf(text: string | null): Prefix | null {
  const parsed = text === null ? null : parsePrefix(text);
  return parsed?.ok === true ? parsed.value : null;
}

/** What tells two rules of one priority apart. */
function textOf({ family, from, to, incoming, mark, table }: Rule): string {
  const prefix = (one: Prefix | null): string => (one === null ? '' : formatPrefix(one));
  return [family, prefix(from), prefix(to), incoming, mark?.join('/'), table].join(' ');
}
