/** How published ports are written: `8080:172.18.0.2:80`, `[::1]:8000-8009:[fd18::2]:8000/udp`. */
import { Failure } from '../failure.ts';

export const protocols = ['tcp', 'udp', 'sctp'] as const;
export type Protocol = (typeof protocols)[number];

/** The outside: an address of the host (null: nothing said), its ports. */
export interface Outside {
  readonly hostAddress: string | null;
  readonly hostPort: number;
  /** Null: nothing said. */
  readonly last: number | null;
  readonly protocol: Protocol;
}

export interface Published extends Outside {
  readonly address: string;
  readonly port: number;
  readonly count: number;
}

/** `[HOST:]PORT[-LAST]:ADDRESS:PORT[-LAST][/PROTOCOL]`. Failure `usage`; whether addresses are such, the gateway says. */
export function parsePublished(text: string): Published {
  const { protocol, parts } = partsOf(text);
  const [inside, address, ports, host, ...more] = parts.reverse();
  if (ports === undefined && [address, inside].every((part) => part !== undefined && /^[\d-]+$/.test(part)))
    throw new Failure('usage', `"${text}" does not say whose port it is; write 8080:172.18.0.2:80`);
  if (address === undefined || inside === undefined || ports === undefined || more.length > 0) throw wrong(text);
  const [hostPort, last] = portsOf(ports, text);
  const [port, insideLast] = portsOf(inside, text);
  const count = (last ?? hostPort) - hostPort + 1;
  if (insideLast !== null && insideLast - port + 1 !== count)
    throw new Failure(
      'usage',
      `"${text}" has ${count} ports outside and ${insideLast - port + 1} inside; write as many`,
    );
  return { hostAddress: host ?? null, hostPort, last, protocol, address, port, count };
}

/** `[HOST:]PORT[-LAST][/PROTOCOL]`, or all that was published. */
export function parseOutside(text: string): Outside | Published {
  const { protocol, parts } = partsOf(text);
  if (parts.length > 2) return parsePublished(text);
  const [ports = '', host] = parts.reverse();
  const [hostPort, last] = portsOf(ports, text);
  return { hostAddress: host ?? null, hostPort, last, protocol };
}

/** What is between the colons, without brackets. */
function partsOf(text: string): { readonly protocol: Protocol; readonly parts: string[] } {
  const slash = text.lastIndexOf('/');
  const said = slash < 0 ? 'tcp' : text.slice(slash + 1).toLowerCase();
  const protocol = protocols.find((one) => one === said);
  if (protocol === undefined) throw new Failure('usage', `"${text}" has no protocol of ${protocols.join(', ')}`);
  const rest = slash < 0 ? text : text.slice(0, slash);
  const parts: string[] = [];
  const one = /(?:\[([^[\]]*)\]|([^:[\]]*))(:|$)/y;
  for (;;) {
    const match = one.exec(rest);
    if (match === null) throw wrong(text);
    parts.push(match[1] ?? match[2]!);
    if (match[3] === '') break;
  }
  return { protocol, parts };
}

function portsOf(text: string, whole: string): readonly [first: number, last: number | null] {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  if (first === undefined) throw wrong(whole);
  for (const one of [first, last ?? ''])
    if (/^0\d/.test(one)) throw new Failure('usage', `"${whole}" has a port with a leading zero: write ${Number(one)}`);
  if (last !== undefined && Number(last) < Number(first))
    throw new Failure('usage', `"${whole}" ends before it begins; write the lower port first`);
  return [Number(first), last === undefined ? null : Number(last)];
}

function wrong(text: string): Failure {
  return new Failure(
    'usage',
    `"${text}" is no published port; write 8080:172.18.0.2:80, 127.0.0.1:8000-8009:172.18.0.2:8000/udp or [::1]:8080:[fd18::2]:80`,
  );
}

/** `tcp/8000-8009`. */
export function rangeText(first: number, count: number): string {
  return count === 1 ? `${first}` : `${first}-${first + count - 1}`;
}

/** Of an address and a port. */
export function withPort(address: string, port: number, count: number): string {
  return `${address.includes(':') ? `[${address}]` : address}:${rangeText(port, count)}`;
}
