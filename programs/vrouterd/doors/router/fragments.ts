/** Names that an older router gave to a dnsmasq: a file a VLAN, `vlan-100.conf`, of lines `listen-address=…` and `host-record=name,address`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface OldNames {
  readonly vlanId: number;
  /** Names and addresses, as they stand there. */
  readonly hosts: readonly (readonly [name: string, address: string])[];
  /** Lines that are neither. */
  readonly odd: readonly string[];
}

export const OLD_NAMES_FOLDER = '/etc/dnsmasq.d';
/** Of one file; nobody has so many names. */
const BYTES_MAX = 4 << 20;

/** None where there is no such folder, or it cannot be read. */
export function readOldNames(folder = OLD_NAMES_FOLDER): OldNames[] {
  try {
    return readdirSync(folder).flatMap((file) => {
      const vlanId = /^vlan-(\d{1,4})\.conf$/.exec(file)?.[1];
      if (vlanId === undefined) return [];
      const text = readFileSync(join(folder, file), 'utf8');
      return text.length > BYTES_MAX ? [] : [parseFragment(Number(vlanId), text)];
    });
  } catch {
    return [];
  }
}

export function parseFragment(vlanId: number, text: string): OldNames {
  const hosts: [string, string][] = [];
  const odd: string[] = [];
  for (const line of text.split('\n').map((one) => one.trim())) {
    const record = /^host-record=([^,]+),([^,]+)$/.exec(line);
    if (record !== null) hosts.push([record[1]!, record[2]!]);
    else if (line !== '' && !line.startsWith('#') && !line.startsWith('listen-address=')) odd.push(line);
  }
  return { vlanId, hosts, odd };
}
