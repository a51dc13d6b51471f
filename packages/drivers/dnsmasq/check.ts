/**
 * The last look before something is written that dnsmasq reads. What people said was checked long before; whatever comes by another way
 * meets the same rules here, since a line more in these files is a directive more (some of them run programs).
 */
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { parseInterfaceName } from '@vrouter/core/names.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { DnsRecordObject, DnsZoneObject } from '@vrouter/intent/model/objects.ts';
import { checkZoneName } from './layout.ts';

/** RFC 1035 section 2.3.4: octets of a label, and characters of a name without the dot at its end. */
const LABEL = /^[a-z0-9_-]{1,63}$/;
const NAME_MAX = 253;

export function isHostName(text: string): boolean {
  return text.length <= NAME_MAX && text.split('.').every((label) => LABEL.test(label));
}

/** Null when all of the zone may be written. `name.invalid` or `address.invalid`. */
export function checkZone(zone: DnsZoneObject): Problem | null {
  const name = checkZoneName(zone.name);
  if (!name.ok) return name.error;
  const link = parseInterfaceName(zone.link, 'link');
  if (!link.ok) return link.error;
  // dnsmasq takes a name with a star at its end for many, and one with a colon for a label; neither passes above.
  if (zone.domain !== null && !isHostName(zone.domain)) return badName('domain', zone.domain);
  for (const address of zone.listen) if (!isAddress(address)) return badAddress('listen', address);
  for (const upstream of zone.upstreams ?? []) {
    const parsed = parseUpstream(upstream);
    if (!parsed.ok) return parsed.error;
  }
  return null;
}

/** Null when the record may be written into a zone of this domain. `name.invalid` or `address.invalid`. */
export function checkRecord(record: DnsRecordObject, domain: string | null): Problem | null {
  if (!isHostName(record.name)) return badName('name', record.name);
  if (domain !== null && record.name.length + 1 + domain.length > NAME_MAX)
    return problem('name.invalid', `${record.name}.${domain} is longer than ${NAME_MAX} characters`, 'name');
  if (!isAddress(record.data) || record.data.includes(':') !== (record.type === 'AAAA'))
    return badAddress('data', record.data);
  return null;
}

/** As a `server=` line has it: `192.0.2.1`, `192.0.2.1#5353`, `2001:db8::1#53`. */
export function parseUpstream(text: string): Result<string> {
  const address = parseIp(text);
  if (address.ok) return ok(formatIp(address.value));
  const endpoint = parseEndpoint(text);
  if (endpoint.ok) return ok(`${formatIp(endpoint.value.address)}#${endpoint.value.port}`);
  return err(badAddress('upstreams', text));
}

/** Canonical, so that what is written and read back is the same. */
function isAddress(text: string): boolean {
  const parsed = parseIp(text);
  return parsed.ok && formatIp(parsed.value) === text;
}

const badName = (field: string, text: string): Problem =>
  problem(
    'name.invalid',
    `${JSON.stringify(text.slice(0, 300))} is no name: labels of 1 to 63 of a-z 0-9 _ -, dots between them, at most ${NAME_MAX} characters`,
    field,
  );

const badAddress = (field: string, text: string): Problem =>
  problem('address.invalid', `${JSON.stringify(text.slice(0, 100))} is no address, or not one of that family`, field);
