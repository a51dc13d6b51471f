/**
 * The name of the object that an element stands for, written beside it in the kernel: `nft list` shows it as a comment. A name that is too
 * long for that is cut there and stands in full in a field that only we read.
 */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { commentOf, readComment, readUserdata, writeUserdata } from '../netlink/nftables/userdata.ts';
import { join, portField, portOf, split } from './fields.ts';

/** nft does not take more than 128 bytes. */
const SHOWN = 120;
const CUT = 40;
const LONGEST = 200;
const NAME = 0x6e;
const FLAGS = 0x76;
const PORTS = 0x70;
const NO_HAIRPIN = 1;

export interface Label {
  readonly name: string;
  readonly hairpin: boolean;
  /** Of a pool: the first and the last that it gives out. */
  readonly ports: readonly [number, number] | null;
}

export function writeLabel({ name, hairpin, ports }: Label): Result<Uint8Array> {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length > LONGEST)
    return err(problem('name.invalid', `a name has 1 to ${LONGEST} bytes here, this one ${bytes.length}`, 'name'));
  const isShort = bytes.length <= SHOWN;
  const values = new Map([commentOf(isShort ? name : `${name.slice(0, CUT / 2)}...`)]);
  if (!isShort) values.set(NAME, bytes);
  if (ports !== null) values.set(PORTS, join(portField(ports[0]), portField(ports[1])));
  if (!hairpin) values.set(FLAGS, Uint8Array.of(NO_HAIRPIN));
  return ok(writeUserdata(values));
}

/** Null: this is none of ours. */
export function readLabel(userdata: Uint8Array | null): Label | null {
  if (userdata === null) return null;
  const values = readUserdata(userdata);
  const full = values.get(NAME);
  const name = full === undefined ? readComment(values) : new TextDecoder().decode(full);
  if (name === null || name === '') return null;
  const ports = values.get(PORTS);
  const [first, last] = split(ports ?? new Uint8Array(0), 2, 2);
  return {
    name,
    ports: ports === undefined ? null : [portOf(first!), portOf(last!)],
    hairpin: ((values.get(FLAGS)?.[0] ?? 0) & NO_HAIRPIN) === 0,
  };
}
