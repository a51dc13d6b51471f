/** Any bytes as what the kernel writes beside a datagram: control messages of any length, and any sockaddr. Nothing may throw or hang. */
import { LOCAL_LENGTH, noControl, readControl, readLocal, writeSource } from './control.ts';
import { AF_INET, AF_INET6, EndpointTable, readEndpoint, writeSockaddr } from './sockaddr.ts';

export const name = 'host/udp';

const SOCKADDR_AT = 128;
const ARENA_LEN = SOCKADDR_AT + 32;

/** A sockaddr and control messages, as the kernel lays them out: sockaddr first, 28 bytes. */
export const seeds: readonly Uint8Array[] = [
  // 192.0.2.1:51820, asked at 192.0.2.77 over interface 2; bundled by 1452.
  '0200ca6cc00002010000000000000000000000000000000000000000' +
    '1c00000000000000000000000800000002000000c000024dc000024d00000000' +
    '14000000000000001100000068000000ac05000000000000',
  // [2001:db8::1]:51820, asked at fe80::1 over interface 3.
  '0a00ca6c0000000020010db800000000000000000000000100000000' +
    '24000000000000002900000032000000fe80000000000000000000000000000103000000',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const arena = new ArrayBuffer(ARENA_LEN);
  const view = new DataView(arena);
  const all = new Uint8Array(arena);
  all.set(bytes.subarray(0, 28), SOCKADDR_AT);
  const controlBytes = Math.min(96, Math.max(0, bytes.length - 28));
  all.set(bytes.subarray(28, 28 + controlBytes), 0);
  const control = noControl();
  readControl(new Uint32Array(arena), 0, controlBytes, control);
  const family = view.getUint16(SOCKADDR_AT, true);
  if (family !== AF_INET && family !== AF_INET6) return;
  const table = new EndpointTable(view, bytes.length);
  const endpoint = table.at(SOCKADDR_AT, control.local);
  if (table.at(SOCKADDR_AT, control.local) !== endpoint) throw new Error('another object for the same sockaddr');
  const { source, address, port } = endpoint;
  if (source !== null) {
    // What is written to answer from there must be read as the same.
    const again = noControl();
    const length = writeSource(view, 0, source);
    readControl(new Uint32Array(arena), 0, length, again);
    const local = readLocal(again.local, endpoint);
    if (again.local[LOCAL_LENGTH] !== address.length || String(local?.address) !== String(source.address))
      throw new Error(`${source.address} came back as ${local?.address}`);
  }
  writeSockaddr(view, SOCKADDR_AT, AF_INET6, address, port, table.scopeOf(endpoint));
  const back = readEndpoint(view, SOCKADDR_AT);
  if (back.text !== endpoint.text) throw new Error(`${endpoint.text} came back as ${back.text}`);
}
