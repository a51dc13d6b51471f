/** Links and VRFs: devices of the kernel that are made, found, changed in place, and given back. */
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { SourceCheck } from '@vrouter/intent/model/intents.ts';
import type { LinkObject, ObjectKey, Observed, VrfObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { changeLink, createLink, deleteLink, type LinkKind, type LinkOptions, type LinkRow } from '../netlink/link.ts';
import { Errno } from '../netlink/refusal.ts';
import { applyEach, type Part } from '../part.ts';
import { LINK_GROUP, type Mark, markText, parseMark } from './mark.ts';
import { isMisnamed, type NameKeeper, nameBack } from './renamed.ts';
import { adoptedAs, deviceOf, isAdopted, isSameDevice, kindOf, objectOf } from './shape.ts';
import { DEFAULT_VRF, tableOf, vrfRequests, vrfRow, vrfRows } from './vrfs.ts';

/** What the packet filter does for a link; by the device's name. */
export interface LinkTraits {
  readonly vrf: string;
  readonly mssClamp: boolean;
  readonly sourceCheck: SourceCheck;
}

/** Keeps the traits of links. */
export interface TraitKeeper extends NameKeeper {
  /** Null: the link goes. */
  setTraits(device: string, traits: LinkTraits | null): Promise<Problem | null>;
  /** Of those of the devices that have any. */
  traits(devices: readonly string[]): Promise<ReadonlyMap<string, LinkTraits>>;
}

const TAP = 'tap/';
/** Of more links than these the kernel is asked for all there are. */
const ASKED_ALONE = 16;

const nameIn = (key: string): string => key.slice(key.indexOf('/') + 1);

/** Makes a TAP device that outlives us. Throws ProblemError. */
export type MakeTap = (device: string) => void;

export class Links implements Part {
  readonly kinds = ['vrf', 'link'] as const;
  readonly #kernel: Kernel;
  readonly #traits: TraitKeeper;
  readonly #makeTap: MakeTap;

  constructor(kernel: Kernel, traits: TraitKeeper, makeTap: MakeTap) {
    this.#kernel = kernel;
    this.#traits = traits;
    this.#makeTap = makeTap;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const { links } = this.#kernel;
    if (scope === 'all') {
      for (const [name, row] of [...links.ours()]) await this.#nameBack(name, row);
      const ours = [...links.ours()];
      const traits = await this.#traits.traits(ours.map(([, row]) => row.name));
      const rows = ours.flatMap(([name, row]) => this.#see(name, row, traits) ?? []);
      return [DEFAULT_VRF, ...vrfRows(links), ...rows];
    }
    if (scope.length > ASKED_ALONE) await links.load();
    else for (const key of scope) await this.#look(nameIn(key));
    for (const key of scope) {
      const row = links.of(nameIn(key));
      if (row !== undefined) await this.#nameBack(nameIn(key), row);
    }
    const rows = scope.flatMap((key) => links.of(nameIn(key)) ?? []);
    const traits = await this.#traits.traits(rows.map((row) => row.name));
    const seen: Observed[] = [];
    for (const key of scope) {
      const row = links.of(nameIn(key));
      const found =
        row === undefined ? null : row.kind === 'vrf' ? vrfRow(nameIn(key), row) : this.#see(nameIn(key), row, traits);
      if (key === DEFAULT_VRF.key) seen.push(DEFAULT_VRF);
      else if (found !== null && found.key === key) seen.push(found);
    }
    return seen;
  }

  apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    return applyEach(this, steps, (step) => {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind === 'vrf') return step.op === 'delete' ? this.#remove(object.name) : this.#makeVrf(object);
      if (object.kind !== 'link') throw new TypeError(`${object.kind} is no link`);
      return step.op === 'delete' ? this.#removeLink(object) : this.#make(object);
    });
  }

  /** The kernel's word for a link of ours, asked for anew. */
  async #look(link: string): Promise<LinkRow | null> {
    const { links } = this.#kernel;
    const known = links.of(link);
    const row = await links.look(known?.name ?? link);
    if (row !== null || known === undefined) return row;
    // Gone, or called otherwise.
    await links.load();
    return links.of(link) ?? null;
  }

  /** Null: it is called as it should be. A VRF, of which nothing else can differ, shows also whose it is then. */
  async #nameBack(name: string, row: LinkRow): Promise<Problem | null> {
    if (!isMisnamed(row, name, adoptedAs(this.#kernel.ledger, name) !== null)) {
      const isMarked = row.kind !== 'vrf' || row.table === null || parseMark(row.alias) !== null;
      return isMarked ? null : this.#finishVrf(name, row.table!, row);
    }
    const now = await nameBack(this.#kernel, this.#traits, row, name);
    return 'code' in now ? now : null;
  }

  #see(name: string, row: LinkRow, traits: ReadonlyMap<string, LinkTraits>): Observed | null {
    if (row.kind === 'vrf') return null;
    const { links } = this.#kernel;
    const vrf = row.master === 0 ? undefined : links.at(row.master);
    const bridge = vrf?.kind === 'bridge' ? (links.nameOf(vrf) ?? vrf.name) : undefined;
    const adopted = adoptedAs(this.#kernel.ledger, name);
    const object = objectOf(name, row, {
      vxlanParent: links.at(row.vxlan?.parent ?? 0)?.name,
      mark: links.markOf(row),
      adopted,
      shown: adopted !== null || (parseMark(row.alias) !== null && !isMisnamed(row, name, false)),
      parent: links.at(row.parent)?.name ?? '',
      vrf: vrf?.kind === 'vrf' ? (links.nameOf(vrf) ?? vrf.name) : 'default',
      traits: traits.get(row.name) ?? null,
    });
    if (object === null) return null;
    const operUp = row.up && row.carrier;
    const mac = row.mac.length === 6 ? formatMac(row.mac) : null;
    const learned = { index: row.index, operUp, mac, superPackets: null };
    return { key: `link/${name}` as ObjectKey, object: bridge === undefined ? object : { ...object, bridge }, learned };
  }

  async #makeVrf({ name, tableId }: VrfObject): Promise<Problem | null> {
    const { links } = this.#kernel;
    const row = links.of(name);
    if (row !== undefined) {
      if (row.kind !== 'vrf' || row.table !== tableId)
        return problem('object.exists', `${name} cannot change its table; delete it first`);
      return (await this.#nameBack(name, row)) ?? this.#finishVrf(name, tableId, row);
    }
    if ((await links.look(name)) !== null) return notOurs(name);
    const refused = await this.#do([createLink(name, { kind: 'vrf', table: tableId }, { group: LINK_GROUP })]);
    if (refused !== null) return refused;
    const made = await links.look(name);
    if (made === null) return problem('plane.failed', `${name} is gone as soon as it is made`);
    const failed = await this.#finishVrf(name, tableId, made);
    return failed === null ? null : this.#undone(failed, name);
  }

  async #finishVrf(name: string, table: number, { index }: LinkRow): Promise<Problem | null> {
    const { links, made, files } = this.#kernel;
    const mark: Mark = { link: name, ownMac: false, anyPort: false };
    const failed = await this.#do([
      changeLink(index, { alias: markText(mark), group: LINK_GROUP, up: true }),
      ...vrfRequests(table, files.read('net/ipv6/conf/all/forwarding') !== null),
    ]);
    if (failed === null) made.note({ name, index }, mark);
    await links.look(name);
    return failed;
  }

  async #make(object: LinkObject): Promise<Problem | null> {
    const { links } = this.#kernel;
    const vrf = tableOf(links, object.vrf);
    if (vrf === null) return problem('object.dependency', `the VRF ${object.vrf} is not there`, 'vrf');
    const bridge = object.bridge === undefined ? undefined : links.of(object.bridge);
    if (object.bridge !== undefined && bridge === undefined)
      return problem('object.dependency', `the bridge ${object.bridge} is not there`, 'bridge');
    const misnamed = links.of(object.name);
    const failedName = misnamed === undefined ? null : await this.#nameBack(object.name, misnamed);
    if (failedName !== null) return failedName;
    const known = links.of(object.name);
    const row = known === undefined ? await this.#begin(object) : known;
    if ('code' in row) return row;
    const before = this.#kernel.made.isOffered(row) ? row : null;
    const failed = await this.#shape(row, object, bridge?.index ?? vrf.index);
    if (failed === null) {
      if (known === undefined && object.type === 'bridge') await this.#takeBack(object.name);
      return null;
    }
    // What was made for this is unmade again.
    if (before !== null) await this.#leave(object, before);
    else if (known === undefined) await this.#unmake(object, row);
    return this.#explained(failed, object);
  }

  /** The kernel has one word, EINVAL, for a VLAN whose frames would not fit into those of its device. */
  async #explained(failed: Problem, { type, device, mtu }: LinkObject): Promise<Problem> {
    const parent = type === 'port' && device !== undefined ? await this.#kernel.links.look(device) : null;
    if (parent === null || mtu <= parent.mtu) return failed;
    return problem(
      'plane.failed',
      `an MTU of ${mtu} is more than the ${parent.mtu} of ${device}: choose a smaller one`,
      'mtu',
    );
  }

  /** Others' links that were in the bridge when somebody took it away are in the new one; they may be gone by now. */
  async #takeBack(bridge: string): Promise<void> {
    const { links } = this.#kernel;
    const master = links.of(bridge)?.index;
    if (master === undefined) return;
    for (const port of links.takeLost(bridge)) await this.#kernel.change([changeLink(port, { master })]);
  }

  /** There is none of ours yet: finds the device, or makes it. */
  async #begin(object: LinkObject): Promise<LinkRow | Problem> {
    const { links } = this.#kernel;
    const device = deviceOf(object);
    const there = await links.look(device);
    if (isAdopted(object)) {
      if (there === null) return problem('plane.failed', `this host has no interface ${device}`, 'device');
      this.#kernel.adopt(object.name, there);
      links.put(there);
      return there;
    }
    if (there !== null) {
      if (links.nameOf(there) === object.name) return there;
      // A maker was cut off, or an older router left it.
      const cutOff =
        there.kind === 'tun' && object.type === 'tap' && this.#kernel.ledger.get(`${TAP}${device}`) !== null;
      const left = this.#kernel.made.isOffered(there) && isSameDevice(there, object, links.at(there.parent));
      return cutOff || left ? there : notOurs(device);
    }
    const failed = object.type === 'tap' ? this.#tap(device) : await this.#create(object);
    if (failed !== null) return failed;
    return (await links.look(device)) ?? problem('plane.failed', `${device} is gone as soon as it is made`);
  }

  async #create(object: LinkObject): Promise<Problem | null> {
    const { links } = this.#kernel;
    const on = object.type === 'port' ? object.device : object.parent;
    const parent = on === undefined ? null : await links.look(on);
    if (on !== undefined && parent === null)
      return problem('plane.failed', `this host has no interface ${on}`, object.type === 'port' ? 'device' : 'parent');
    const kind: LinkKind | null = kindOf(object, parent?.index ?? 0);
    if (kind === null)
      return problem('intent.unsupported', `the linux plane has no link of the type ${object.type}`, 'type');
    const request = createLink(object.name, kind, { mtu: object.mtu, group: LINK_GROUP, ...macOf(object) });
    const failed = await this.#kernel.do([request], `${object.name}, of the type ${kind.kind}`);
    return failed === null ? null : this.#explained(failed, object);
  }

  #tap(device: string): Problem | null {
    try {
      // Nothing can be written on it before it is there.
      this.#kernel.ledger.set(`${TAP}${device}`, '{}');
      this.#makeTap(device);
      return null;
    } catch (thrown) {
      this.#kernel.ledger.delete(`${TAP}${device}`);
      return this.#kernel.problemOf(thrown);
    }
  }

  /** Makes a device be as the object says. */
  async #shape(row: LinkRow, object: LinkObject, master: number): Promise<Problem | null> {
    const { links } = this.#kernel;
    const before = links.markOf(row);
    const ends = object.peer === undefined ? {} : { peer: object.peer };
    const mark: Mark = { link: object.name, ownMac: object.mac != null, anyPort: before?.anyPort ?? false, ...ends };
    const wanted: { -readonly [F in keyof LinkOptions]: LinkOptions[F] } = {};
    const text = markText(mark);
    if (!isAdopted(object) && row.alias !== text) wanted.alias = text;
    if (!isAdopted(object) && row.group !== LINK_GROUP) wanted.group = LINK_GROUP;
    if (row.mtu !== object.mtu) wanted.mtu = object.mtu;
    if (row.master !== master) wanted.master = master;
    const mac = isAdopted(object) ? this.#kernel.adoptedMac(object, row) : macOf(object).mac;
    if (mac !== undefined && formatMac(row.mac) !== formatMac(mac)) wanted.mac = mac;
    const device = row.name;
    // What keeps others out stands before the door is opened.
    const { vrf, mssClamp, sourceCheck } = object;
    const failed = await this.#traits.setTraits(device, { vrf, mssClamp, sourceCheck });
    if (failed !== null) return failed;
    if (!isAdopted(object)) this.#kernel.keepAddresses(device);
    if (row.up !== object.adminUp) wanted.up = object.adminUp;
    const refused = Object.keys(wanted).length === 0 ? null : await this.#do([changeLink(row.index, wanted)]);
    const now = await links.look(device);
    if (!isAdopted(object) && now?.index === row.index && now.alias === text) this.#kernel.made.note(now, mark);
    if (row.up && (wanted.up === false || wanted.master !== undefined)) this.#kernel.goesInSilence(object.name);
    if (object.type === 'tap' && refused === null) this.#kernel.ledger.delete(`${TAP}${device}`);
    return refused;
  }

  async #removeLink(object: LinkObject): Promise<Problem | null> {
    const { links, ledger } = this.#kernel;
    const adopted = adoptedAs(ledger, object.name);
    const row = links.of(object.name);
    if (row !== undefined) await this.#traits.setTraits(row.name, null);
    if (adopted === null) return this.#remove(object.name);
    if (row !== undefined) {
      const { mtu, up, master, mac } = adopted;
      const before = mac === null ? {} : macOf({ mac });
      const failed = await this.#do([changeLink(row.index, { mtu, up, master, ...before })], [Errno.ENODEV]);
      if (failed !== null) return failed;
    }
    this.#kernel.release(object.name);
    if (row !== undefined) await links.look(row.name);
    return null;
  }

  async #remove(name: string): Promise<Problem | null> {
    const { links } = this.#kernel;
    const row = links.of(name) ?? (await this.#look(name));
    if (row === null || links.nameOf(row) !== name) return null;
    links.leave(row.index);
    const failed = await this.#kernel.doSlowly(deleteLink(row.index), name, [Errno.ENODEV]);
    if (failed === null) {
      links.remove(row.index);
      this.#kernel.made.forget(name);
    } else links.left(row.index);
    return failed;
  }

  /** The first that fails is the problem; those after it are tried all the same. */
  async #do(requests: readonly Uint8Array[], settled: readonly number[] = []): Promise<Problem | null> {
    return this.#kernel.do(requests, 'link', settled);
  }

  async #unmake(object: LinkObject, row: LinkRow): Promise<void> {
    await this.#traits.setTraits(row.name, null);
    if (isAdopted(object)) await this.#removeLink(object);
    else if (await this.#kernel.isOurs(row)) {
      await this.#kernel.change([deleteLink(row.index)]);
      this.#kernel.made.forget(object.name);
    }
    await this.#kernel.links.look(row.name);
  }

  /** What an older router left is as it was, and may be asked for again. */
  async #leave(object: LinkObject, before: LinkRow): Promise<void> {
    const { alias, group, mtu, up, master } = before;
    await this.#traits.setTraits(before.name, null);
    await this.#kernel.change([changeLink(before.index, { alias, group, mtu, up, master })]);
    this.#kernel.made.forget(object.name);
    this.#kernel.made.offer(before);
    await this.#kernel.links.look(before.name);
  }

  async #undone(failed: Problem, name: string): Promise<Problem> {
    await this.#kernel.links.look(name);
    await this.#remove(name);
    return failed;
  }
}

const notOurs = (device: string): Problem =>
  problem(
    'object.exists',
    `this host has an interface ${device}, which is not ours: take it away, or choose another`,
    'name',
  );

function macOf(object: Pick<LinkObject, 'mac'>): { mac?: Uint8Array } {
  const parsed = object.mac == null ? null : parseMac(object.mac);
  return parsed?.ok === true ? { mac: parsed.value } : {};
}
