/**
 * Fields of requests, judged before anything is changed. A problem names the field as the client knows it, and the value. Nothing here
 * knows what has been said before.
 */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, networkOf, type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { gatewayProblem } from '@vrouter/intent/compile/network.ts';
import { IPV6_MTU_MIN, MTU_MAX, MTU_MIN } from '@vrouter/intent/validate/intent.ts';
import { specialPrefix } from '@vrouter/intent/validate/special.ts';

export const VLAN_MIN = 100;
export const VLAN_MAX = 4094;
/** Characters of a client's text. */
const SHOWN_MAX = 64;

export function readVlanId(vlanId: number): Result<number> {
  if (vlanId >= VLAN_MIN && vlanId <= VLAN_MAX) return ok(vlanId);
  return refuse(`VLAN id ${vlanId} is not in the range from ${VLAN_MIN} to ${VLAN_MAX}: choose one that is`, 'vlan_id');
}

/** A subnet that addresses are given out of, canonical; host bits are dropped. */
export function readSubnet(text: string, field: string): Result<string> {
  const prefix = readCidr(text, field);
  if (!prefix.ok) return prefix;
  const special = specialPrefix(prefix.value, 'network', field);
  return special === null ? ok(formatPrefix(prefix.value)) : err(special);
}

/** Sources of which translation is asked for, canonical; host bits are dropped. */
export function readSources(text: string, field: string): Result<string> {
  const prefix = readCidr(text, field);
  if (!prefix.ok) return prefix;
  const special = specialPrefix(prefix.value, 'destination', field);
  return special === null ? ok(formatPrefix(prefix.value)) : err(special);
}

function readCidr(text: string, field: string): Result<Prefix> {
  const parsed = text.includes('/') ? parseInterfaceAddress(text, field) : null;
  if (parsed?.ok === true) return ok(networkOf(parsed.value));
  return err(problem('prefix.invalid', `${shown(text)} is no subnet: one looks like 172.18.0.0/16`, field));
}

/** The gateway's address in a canonical subnet. */
export function readGateway(text: string, prefix: string): Result<string> {
  if (text.includes('/'))
    return err(
      problem('address.invalid', `${shown(text)} has a prefix length: the gateway is an address alone`, 'gateway'),
    );
  const parsed = readAddress(text, 'gateway');
  if (!parsed.ok) return parsed;
  const wrong = gatewayProblem({ prefix, gateway: parsed.value }, 'gateway');
  return wrong === null ? parsed : err(wrong);
}

/** Null: whatever the parent has. */
export function readMtu(mtu: number, prefix: string): Result<number | null> {
  if (mtu === 0) return ok(null);
  const least = prefix.includes(':') ? IPV6_MTU_MIN : MTU_MIN;
  if (mtu >= least && mtu <= MTU_MAX) return ok(mtu);
  return refuse(`an MTU of ${mtu} is not in the range from ${least} to ${MTU_MAX}; 0 is that of the parent`, 'mtu');
}

export function readProtocol(text: string): Result<'tcp' | 'udp'> {
  const lower = text.toLowerCase();
  if (lower === 'tcp' || lower === 'udp') return ok(lower);
  return refuse(`${shown(text)} is not a protocol that has mappings here: tcp or udp`, 'protocol');
}

export function readPort(port: number, field: string): Result<number> {
  if (port >= 1 && port <= 65_535) return ok(port);
  return refuse(`port ${port} is not in the range from 1 to 65535`, field);
}

/** An address that something can have. */
export function readHostAddress(text: string, field: string): Result<string> {
  const parsed = readAddress(text, field);
  if (!parsed.ok) return parsed;
  const bytes = parseIp(parsed.value);
  if (!bytes.ok) return bytes;
  const special = specialPrefix({ address: bytes.value, bits: bytes.value.length * 8 }, 'address', field);
  return special === null ? parsed : err({ ...special, code: 'address.invalid' });
}

function readAddress(text: string, field: string): Result<string> {
  const parsed = parseIp(text, field);
  if (parsed.ok) return ok(formatIp(parsed.value));
  return err(problem('address.invalid', `${shown(text)} is not an IPv4 or IPv6 address`, field));
}

function refuse(sentence: string, field: string): Result<never> {
  return err(problem('input.invalid', sentence, field));
}

/** A value of a client, not all of it, for messages. */
export function shown(text: string): string {
  return inAscii(JSON.stringify(clipped(text)));
}

/** What a log has of a call's values: no text is longer than in messages, whatever a client sent. */
export function facts(values: { readonly [name: string]: number | string }): object {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'string' ? inAscii(clipped(value)) : value]),
  );
}

function clipped(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

/** What a client reads of a problem, and a log has of it: one line of ASCII, whatever was said. */
export function sentence({ message, code, field }: Problem): string {
  return inAscii(`${field === undefined ? '' : `${field}: `}${message} (${code})`);
}

function inAscii(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
