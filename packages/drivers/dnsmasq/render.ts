/** What dnsmasq reads, from checked objects. The same objects always make the same text: what is on the disk is compared with it. */
import type { DnsRecordObject, DnsZoneObject } from '@vrouter/intent/model/objects.ts';
import { parseUpstream } from './check.ts';
import type { ZoneFiles } from './layout.ts';

/** Where a host keeps whom it asks (resolv.conf(5)). */
export const HOST_RESOLV_CONF = '/etc/resolv.conf';

/**
 * The configuration. Everything that is likely to change is in the other two files, which are read again without a restart: only another
 * link, or asking whom the host asks instead of named ones (or back), is another configuration.
 *
 * `interface` and `bind-dynamic`: sockets are bound to the addresses of the link as they come and go, and a question counts only when it
 * came in by that link, or over loopback from the host itself. (With `listen-address` a question counts by whichever link it came in, and
 * the two together mean either, not both.) Without `except-interface=lo` it would take 127.0.0.1 too.
 */
export function configurationText(zone: DnsZoneObject, files: ZoneFiles, resolvConf: string): string {
  return lines(
    '# Written by vrouterd, which writes it anew; changes are lost.',
    'bind-dynamic',
    `interface=${zone.link}`,
    'except-interface=lo',
    'no-hosts',
    // Another folder's names come first, whatever the order here, and the mark last: who has read it has read the names.
    `addn-hosts=${files.names}`,
    `addn-hosts=${files.marks}`,
    zone.upstreams === null ? `resolv-file=${resolvConf}` : 'no-resolv',
    `servers-file=${files.forwarders}`,
    'strict-order',
    'domain-needed',
    // Neither its version nor its counters are the network's business.
    'no-ident',
    'cache-size=1000',
    'dns-forward-max=1024',
    `log-facility=${files.log}`,
    'pid-file',
  );
}

/** Names, sorted: the first line of an address is the name that belongs to it (PTR). Names with the domain come after all of those. */
export function namesText(zone: DnsZoneObject, records: readonly DnsRecordObject[]): string {
  const sorted = records
    .map((record) => ({ record, text: `${record.name} ${record.data}` }))
    .sort((a, b) => (a.text < b.text ? -1 : 1))
    .map(({ record }) => record);
  const short = sorted.map(({ name, data }) => `${data} ${name}`);
  const long = zone.domain === null ? [] : sorted.map(({ name, data }) => `${data} ${name}.${zone.domain}`);
  return lines(...short, DOMAIN_FOLLOWS, ...long);
}

const DOMAIN_FOLLOWS = '# the same with the domain';

/** The names of a file that `namesText` wrote, with their addresses. What is not in its shape is left out. */
export function parseNames(text: string, zone: string): DnsRecordObject[] {
  const records: DnsRecordObject[] = [];
  for (const line of text.split('\n')) {
    if (line === DOMAIN_FOLLOWS) break;
    const at = line.indexOf(' ');
    if (at <= 0) continue;
    const data = line.slice(0, at);
    const type = data.includes(':') ? 'AAAA' : 'A';
    records.push({ kind: 'dnsRecord', zone, name: line.slice(at + 1), type, data });
  }
  return records;
}

/**
 * Who is asked for what. `server=/x/` is answered from our own names alone, x itself and all below it; `/` with nothing between, names
 * without a dot; `#` is everything. A known name outside the domain (`db.example.com`) is ours whatever type is asked for, what is
 * below it is not.
 */
export function forwardersText(zone: DnsZoneObject, records: readonly DnsRecordObject[]): string {
  const { domain, upstreams } = zone;
  const own = ['server=//'];
  if (domain !== null) own.push(`server=/${domain}/`);
  if (upstreams !== null && upstreams.length === 0) return lines(...own, 'server=/#/');
  const names = new Set(records.map(({ name }) => name));
  for (const name of [...names].sort()) {
    if (!name.includes('.') || (domain !== null && isBelow(name, domain))) continue;
    own.push(`server=/${name}/`, `server=/*.${name}/#`);
  }
  const asked = (upstreams ?? []).map((text) => {
    const parsed = parseUpstream(text);
    if (!parsed.ok) throw new RangeError(`unchecked upstream ${text}`);
    return `server=${parsed.value}`;
  });
  return lines(...own, ...asked);
}

const isBelow = (name: string, domain: string): boolean => name === domain || name.endsWith(`.${domain}`);

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('');
