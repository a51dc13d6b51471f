/** Small judgements of the translator. */
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import { Drop } from '../graph/drops.ts';
import { FlowKind } from './flow.ts';

/** The address of a pool that a host has: one host, one outside address (RFC 4787 section 4.1, REQ-2). */
export function pooled(addresses: Int32Array, source: number): number {
  return addresses[(Math.imul(source, 0x9e3779b1) >>> 16) % addresses.length]!;
}

/** Whether a segment from the inside may begin a session: one that ends something may not. Others may: we may have been restarted. */
export function mayOpen(flags: number): boolean {
  return (flags & (TcpFlag.rst | TcpFlag.fin)) === 0;
}

/** Whether a segment is the first of a connection. */
export function isFirstSyn(flags: number): boolean {
  return (flags & (TcpFlag.syn | TcpFlag.ack | TcpFlag.rst | TcpFlag.fin)) === TcpFlag.syn;
}

/** Whether a segment is the second of a connection. */
export function isSynAck(flags: number): boolean {
  return (flags & (TcpFlag.syn | TcpFlag.ack)) === (TcpFlag.syn | TcpFlag.ack);
}

/** Why a packet that a rule wants translated cannot be. */
export function untranslatable(kind: number): number {
  switch (kind) {
    case FlowKind.error:
      return Drop.natNoSession;
    case FlowKind.short:
      return Drop.natShort;
    default:
      return Drop.natProtocol;
  }
}
