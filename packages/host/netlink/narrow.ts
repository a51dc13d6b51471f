/**
 * Programs that listen on addresses of one link hear news of all links and routes, and look at all of them each time. With a thousand such programs
 * each new link wakes all. They cannot be told; but their sockets can: they are reached by pidfd_getfd(2), and a filter is put on them.
 */
import { readdirSync } from 'node:fs';
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative } from '../internal/native.ts';
import { addressesOf, type FilterProgram, filterProgram, SO_ATTACH_FILTER, SO_DETACH_FILTER } from './filter.ts';

const AF_NETLINK = 16;
const SOL_SOCKET = 1;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;
const NETLINK_ROUTE = 0;

interface Calls {
  /** glibc 2.36 and later. */
  pidfd_open(pid: number, flags: number): number;
  pidfd_getfd(process: number, fd: number, flags: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  if_nametoindex(name: string): number;
  close(fd: number): number;
}

interface Door {
  readonly calls: Calls;
  readonly addresses: AddressBook;
}

const memo: { door?: Door | null } = {};

/** The kernel's number of an interface of this process's namespace; 0 when there is none, or nobody tells. */
export function linkIndex(name: string): number {
  return door()?.calls.if_nametoindex(name) ?? 0;
}

/**
 * From now on the process hears of addresses of this link alone (by the kernel's number) on its routing sockets, or of everything again (null).
 * Says how many it has; none also where this may not be done (it needs what ptrace(2) needs, and Linux 5.6): then it hears what it heard before,
 * which costs time and nothing else. Idempotent, also with another link.
 */
export function narrowAddressNews(pid: number, link: number | null): number {
  const opened = door();
  if (opened === null) return 0;
  const { calls, addresses } = opened;
  const program = link === null ? null : filterProgram(addressesOf(link), addresses);
  const target = calls.pidfd_open(pid, 0);
  if (target < 0) return 0;
  let reached = 0;
  for (const number of descriptorsOf(pid)) {
    const fd = calls.pidfd_getfd(target, number, 0);
    if (fd < 0) continue;
    if (isRouting(opened, fd) && setFilter(opened, fd, program)) reached++;
    calls.close(fd);
  }
  calls.close(target);
  return reached;
}

function isRouting(door: Door, fd: number): boolean {
  return optionOf(door, fd, SO_DOMAIN) === AF_NETLINK && optionOf(door, fd, SO_PROTOCOL) === NETLINK_ROUTE;
}

function setFilter({ calls, addresses }: Door, fd: number, program: FilterProgram | null): boolean {
  if (program !== null) {
    const { header } = program;
    return calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, addresses.of(header), header.byteLength) === 0;
  }
  // There being none is as good.
  calls.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, addresses.of(new ArrayBuffer(4)), 4);
  return true;
}

function door(): Door | null {
  if (memo.door === undefined) {
    const native = process.platform === 'linux' ? loadNative() : null;
    const calls =
      native === null
        ? null
        : loadFunctions<Calls>(native.self, {
            pidfd_open: ['int', ['int', 'uint']],
            pidfd_getfd: ['int', ['int', 'int', 'uint']],
            getsockopt: ['int', ['int', 'int', 'int', 'uint64_t', 'uint64_t']],
            setsockopt: ['int', ['int', 'int', 'int', 'uint64_t', 'uint']],
            if_nametoindex: ['uint', ['str']],
            close: ['int', ['int']],
          });
    memo.door = native === null || calls === null ? null : { calls, addresses: new AddressBook(native) };
  }
  return memo.door;
}

/** Null for what is no socket. */
function optionOf({ calls, addresses }: Door, fd: number, name: number): number | null {
  const value = new ArrayBuffer(4);
  const length = new ArrayBuffer(4);
  new DataView(length).setUint32(0, 4, true);
  const done = calls.getsockopt(fd, SOL_SOCKET, name, addresses.of(value), addresses.of(length));
  return done === 0 ? new DataView(value).getInt32(0, true) : null;
}

function descriptorsOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(Number);
  } catch {
    return [];
  }
}
