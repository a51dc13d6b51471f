/** What the router has of ours, as texts that are equal when it is the same: numbers of links, MAC addresses, handles and counts left out. */
import { basename, dirname } from 'node:path';
import { filesOf, ip, NAMES, onRouter } from './world.ts';

type Row = { readonly [field: string]: unknown };

const rows = (command: string): Row[] => JSON.parse(ip(`-n router -j ${command}`) || '[]') as Row[];
const lines = (list: readonly string[]): string => [...list].sort().join('\n');
const picked = (row: Row, ...fields: readonly string[]): string =>
  fields.map((field) => `${field}=${JSON.stringify(row[field] ?? null)}`).join(' ');

export interface Snapshot {
  readonly links: string;
  readonly addresses: string;
  readonly routes: string;
  readonly rules: string;
  readonly table: string;
  readonly switches: string;
  readonly names: string;
}

export function snapshot(): Snapshot {
  const links = rows('-d link').filter(({ ifname }) => String(ifname).startsWith('br-'));
  const bridges = links.map(({ ifname }) => String(ifname));
  return {
    links: lines(
      links.map((row) => {
        const kind = (row.linkinfo as Row | undefined)?.info_kind;
        const up = (row.flags as string[]).includes('UP');
        return `${picked(row, 'ifname', 'mtu', 'ifalias', 'group', 'master')} kind=${String(kind)} up=${up}`;
      }),
    ),
    addresses: lines(
      rows('address').flatMap((row) =>
        (row.addr_info as Row[])
          .filter(({ scope }) => scope === 'global')
          .map((info) => `${String(row.ifname)} ${picked(info, 'local', 'prefixlen', 'broadcast', 'protocol')}`),
      ),
    ),
    routes: lines(
      ['-4', '-6'].flatMap((family) =>
        rows(`${family} route show table main`)
          // That is the kernel's own.
          .filter(({ dst }) => dst !== 'fe80::/64')
          .map((row) => picked(row, 'dst', 'dev', 'gateway', 'protocol', 'type')),
      ),
    ),
    rules: lines(['-4', '-6'].flatMap((family) => rows(`${family} rule`).map((row) => JSON.stringify(row)))),
    table: tableText(),
    switches: switchesText(bridges),
    names: namesText(),
  };
}

function tableText(): string {
  let text: string;
  try {
    text = onRouter('nft -s -j list table inet vrouter');
  } catch {
    return '';
  }
  const { nftables } = JSON.parse(text) as { nftables: readonly Row[] };
  const things = nftables.flatMap((one) => {
    if ('metainfo' in one) return [];
    const [kind, thing] = Object.entries(one)[0]! as [string, Row];
    const { handle, elem, ...all } = thing;
    // Whether somebody has the table just now is not what it is.
    const { flags, ...rest } = kind === 'table' ? all : { ...all, flags: all.flags };
    const elements = Array.isArray(elem) ? lines(elem.map((e) => JSON.stringify(e))) : '';
    return [`${kind} ${JSON.stringify(rest)} ${elements}`];
  });
  // Rules stand in the order of their chain, other things in any.
  const rules = Object.groupBy(
    nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule as Row])),
    ({ chain }) => String(chain),
  );
  const chains = Object.entries(rules).map(
    ([chain, list]) => `${chain}: ${list!.map(({ expr }) => JSON.stringify(expr)).join(' ')}`,
  );
  return `${lines(things.filter((line) => !line.startsWith('rule ')))}\n${lines(chains)}`;
}

function switchesText(bridges: readonly string[]): string {
  const names = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'];
  for (const bridge of bridges)
    names.push(
      `net.ipv4.conf.${bridge}.route_localnet`,
      `net.ipv6.conf.${bridge}.accept_ra`,
      `net.ipv6.conf.${bridge}.keep_addr_on_down`,
    );
  try {
    return lines(onRouter(`sysctl ${names.join(' ')}`).split('\n'));
  } catch {
    // One of the links has gone meanwhile.
    return '';
  }
}

/** The files by which names are answered; logs and numbers of processes are left out. */
function namesText(): string {
  const files = [...filesOf(NAMES)].filter(([path]) =>
    ['zone.json', 'names', 'forwarders', 'dnsmasq.conf'].includes(basename(path)),
  );
  return lines(files.map(([path, text]) => `${basename(dirname(path))}/${basename(path)}: ${text}`));
}

/** The parts in which two differ; '' when in none. */
export function difference(a: Snapshot, b: Snapshot): string {
  return (Object.keys(a) as (keyof Snapshot)[]).filter((key) => a[key] !== b[key]).join(', ');
}

/** Lines that only one of them has, for whoever looks for what is wrong. */
export function contrast(now: Snapshot, wanted: Snapshot): string {
  const only = (a: Snapshot, b: Snapshot, mark: string): string[] =>
    (Object.keys(a) as (keyof Snapshot)[]).flatMap((key) => {
      const there = new Set(b[key].split('\n'));
      return a[key].split('\n').flatMap((line) => (there.has(line) ? [] : [`${mark} ${key}: ${line}`]));
    });
  return [...only(wanted, now, '-'), ...only(now, wanted, '+')].join('\n');
}
