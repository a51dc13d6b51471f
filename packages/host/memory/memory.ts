/**
 * Memory with a descriptor: several threads map it, and other processes of the same owner read it as a file, /proc/PID/fd/N. It is address
 * space until something is written. First read memfd_create(2), mmap(2).
 */
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative, type Native } from '../internal/native.ts';

/** linux/memfd.h, asm-generic/mman-common.h */
const MFD_CLOEXEC = 1;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;

interface MemoryCalls {
  memfd_create(name: number, flags: number): number;
  ftruncate(fd: number, length: number): number;
  mmap(address: number, length: number, protection: number, flags: number, fd: number, offset: number): number | bigint;
  close(fd: number): number;
}

interface Found {
  readonly native: Native;
  readonly calls: MemoryCalls;
}

const P = 'uint64_t';
const memo: { found?: Found | null } = {};

function find(): Found | null {
  // The types below are those of 64-bit machines.
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  const native = loadNative();
  if (native === null) return null;
  const calls = loadFunctions<MemoryCalls>(native.self, {
    memfd_create: ['int', [P, 'uint']],
    ftruncate: ['int', ['int', 'int64_t']],
    mmap: [P, [P, 'size_t', 'int', 'int', 'int', 'int64_t']],
    close: ['int', ['int']],
  });
  return calls === null ? null : { native, calls };
}

/** Zeros of that length with a descriptor, `name` for those who list it. Null where the system has no such thing, or no room. */
export function createMemory(name: string, bytes: number): number | null {
  memo.found ??= find();
  const { found } = memo;
  if (found === null) return null;
  const text = new TextEncoder().encode(`${name}\0`);
  const buffer = new ArrayBuffer(Math.max(64, text.length));
  new Uint8Array(buffer).set(text);
  const fd = found.calls.memfd_create(new AddressBook(found.native).of(buffer), MFD_CLOEXEC);
  if (fd < 0) return null;
  if (found.calls.ftruncate(fd, bytes) === 0) return fd;
  found.calls.close(fd);
  return null;
}

/**
 * The memory of a descriptor of `createMemory`, for this thread and as long as the process lives. Null where it cannot be mapped.
 * Nobody may make the file shorter.
 */
export function mapMemory(fd: number, bytes: number): ArrayBuffer | null {
  memo.found ??= find();
  const { found } = memo;
  if (found === null) return null;
  // MAP_FAILED is -1, the greatest of all addresses.
  const address = Number(found.calls.mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  return address > Number.MAX_SAFE_INTEGER ? null : found.native.koffi.view(address, bytes);
}
