/** Zones as they stand in their folders: written, read back, taken away. Nothing is remembered but texts that have not changed since. */
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type DnsRecordObject, type DnsZoneObject, type ObjectKey, objectKey } from '@vrouter/intent/model/objects.ts';
import { checkRecord, checkZone } from './check.ts';
import { checkDataFolder, checkZoneName, type ZoneFiles, zoneFiles } from './layout.ts';
import { configurationText, forwardersText, HOST_RESOLV_CONF, namesText, parseNames } from './render.ts';

export interface ZoneState {
  readonly zone: DnsZoneObject;
  readonly records: ReadonlyMap<ObjectKey, DnsRecordObject>;
}

export interface ZonesOptions {
  /**
   * The folder above all zones. The user that dnsmasq runs as must be able to walk through it (x), so it does not lie below a folder that
   * is closed to others.
   */
  readonly folder: string;
  /** Who reads names and forwarders: the user that dnsmasq runs as. Null: we ourselves. */
  readonly reader: { readonly uid: number; readonly gid: number } | null;
  /** Whom the host asks; left out: /etc/resolv.conf. */
  readonly resolvConf?: string;
}

interface Texts {
  readonly configuration: string;
  readonly forwarders: string;
  readonly names: string;
  readonly zone: string;
}
type Part = keyof Texts;
/** The zone itself last: a folder that is half written is no zone. */
const PARTS: readonly Part[] = ['forwarders', 'names', 'configuration', 'zone'];

export class Zones {
  readonly #options: ZonesOptions;
  /** Of a zone: the times and numbers of its files when they were last read, and what was in them. */
  readonly #cache = new Map<string, { readonly stamp: string; readonly state: ZoneState | null }>();

  constructor(options: ZonesOptions) {
    checkDataFolder(options.folder);
    if (options.resolvConf !== undefined) checkDataFolder(options.resolvConf);
    this.#options = options;
  }

  files(name: string): ZoneFiles {
    if (!checkZoneName(name).ok) throw new RangeError(`unchecked name of a zone: ${JSON.stringify(name)}`);
    return zoneFiles(this.#options.folder, name);
  }

  /** Names of the folders that may be zones. Rejects with ProblemError `data.unwritable`. */
  async names(): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.#options.folder, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory() && checkZoneName(entry.name).ok).map((entry) => entry.name);
    } catch (thrown) {
      if (codeOf(thrown) === 'ENOENT') return [];
      throw unwritable(this.#options.folder, thrown);
    }
  }

  /** Null when there is none, or its files are not what we would have written. */
  async read(name: string): Promise<ZoneState | null> {
    if (!checkZoneName(name).ok) return null;
    const files = this.files(name);
    const stamp = await stampOf(files);
    if (stamp === null) return null;
    const cached = this.#cache.get(name);
    if (cached?.stamp === stamp) return cached.state;
    const state = await this.#parse(name, files);
    this.#cache.set(name, { stamp, state });
    return state;
  }

  /** As it was when the zone was last looked at: with a thousand of them that is what a new one can afford. */
  async linkOf(name: string): Promise<string | undefined> {
    return (this.#cache.get(name)?.state ?? (await this.read(name)))?.zone.link;
  }

  /** Makes the folder what the state is. False: it was so. Rejects with ProblemError `data.unwritable`. */
  async write(state: ZoneState): Promise<boolean> {
    const { name } = state.zone;
    const files = this.files(name);
    const texts = this.#texts(state, files);
    let wrote = false;
    try {
      // Walked through by the reader, whatever the umask says; what was there before is somebody's choice.
      const above = await mkdir(this.#options.folder, { recursive: true, mode: 0o711 });
      if (above !== undefined) await chmod(this.#options.folder, 0o711);
      await mkdir(files.folder, { recursive: true, mode: 0o711 });
      await chmod(files.folder, 0o711);
      for (const part of PARTS) {
        if ((await textOf(files[part])) === texts[part]) continue;
        wrote = true;
        await this.#replace(files[part], texts[part], part === 'names' || part === 'forwarders');
      }
    } catch (thrown) {
      throw unwritable(files.folder, thrown);
    }
    const stamp = await stampOf(files);
    if (stamp !== null) this.#cache.set(name, { stamp, state });
    return wrote;
  }

  /** It is no zone from now on. Idempotent. */
  async forget(name: string): Promise<void> {
    this.#cache.delete(name);
    await rm(this.files(name).zone, { force: true });
  }

  /** Takes the folder away. Idempotent. */
  async remove(name: string): Promise<void> {
    await rm(this.files(name).folder, { recursive: true, force: true });
  }

  async #parse(name: string, files: ZoneFiles): Promise<ZoneState | null> {
    const [zoneText, namesFile] = await Promise.all([textOf(files.zone), textOf(files.names)]);
    const zone = zoneText === null ? null : parseZone(zoneText, name);
    if (zone === null || namesFile === null) return null;
    const records = new Map<ObjectKey, DnsRecordObject>();
    for (const record of parseNames(namesFile, name)) {
      if (checkRecord(record, zone.domain) !== null) return null;
      records.set(objectKey(record), record);
    }
    const texts = this.#texts({ zone, records }, files);
    if (texts.names !== namesFile) return null;
    for (const part of ['configuration', 'forwarders', 'zone'] as const)
      if ((await textOf(files[part])) !== texts[part]) return null;
    return { zone, records };
  }

  #texts({ zone, records }: ZoneState, files: ZoneFiles): Texts {
    const all = [...records.values()];
    return {
      configuration: configurationText(zone, files, this.#options.resolvConf ?? HOST_RESOLV_CONF),
      forwarders: forwardersText(zone, all),
      names: namesText(zone, all),
      zone: `${JSON.stringify(canonical(zone))}\n`,
    };
  }

  /** Either the old file or the new one, whatever happens in between. Folders are ours alone, so nobody waits at the temporary name. */
  async #replace(path: string, text: string, forReader: boolean): Promise<void> {
    const temporary = `${path}.new`;
    await unlink(temporary).catch(() => {});
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      const { reader } = this.#options;
      if (forReader && reader !== null) {
        await file.chmod(0o400);
        await file.chown(reader.uid, reader.gid);
      }
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }
}

/** A zone as it was written; null for anything else. */
export function parseZone(text: string, name: string): DnsZoneObject | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const said = value as Partial<DnsZoneObject>;
  const texts = (list: unknown): list is string[] => Array.isArray(list) && list.every((x) => typeof x === 'string');
  if (said.kind !== 'dnsZone' || said.name !== name || typeof said.link !== 'string') return null;
  if (!texts(said.listen) || (said.upstreams !== null && !texts(said.upstreams))) return null;
  if (said.domain !== null && typeof said.domain !== 'string') return null;
  const { link, listen, domain, upstreams } = said;
  const zone: DnsZoneObject = { kind: 'dnsZone', name, link, listen, domain, upstreams };
  return checkZone(zone) === null ? zone : null;
}

/** Fields in one order, whoever made the object. */
function canonical({ name, link, listen, domain, upstreams }: DnsZoneObject): DnsZoneObject {
  return { kind: 'dnsZone', name, link, listen, domain, upstreams };
}

/** Another text when any of the files is another one; null without the zone's own. */
async function stampOf(files: ZoneFiles): Promise<string | null> {
  const stamps = await Promise.all(
    PARTS.map(async (part) => {
      try {
        const { ino, size, mtimeNs, ctimeNs } = await lstat(files[part], { bigint: true });
        return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
      } catch {
        return null;
      }
    }),
  );
  return stamps.at(-1) === null ? null : stamps.join(' ');
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}

const codeOf = (thrown: unknown): string | undefined => (thrown as NodeJS.ErrnoException | undefined)?.code;

function unwritable(path: string, thrown: unknown): ProblemError {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new ProblemError(problem('data.unwritable', `cannot keep the names of networks in ${path}: ${why}`));
}
