/** Where this door listens, as it may be configured. */
import { parseIp } from '@vrouter/core/ip.ts';
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';

/** Of the older router. */
export const DEFAULT_VSOCK_PORT = 50_052;
/** The machine that hosts this one. */
export const DEFAULT_CIDS: readonly number[] = [2];

export interface RouterPlaces {
  readonly vsockPort: number | null;
  readonly allowedCids: readonly number[];
  readonly socket: string | null;
  readonly tcp: TcpPlace | null;
}

/** With the interface that VLANs are of; null: that of the default route. */
export interface RouterServiceConfig extends RouterPlaces {
  readonly parent: string | null;
}

export interface TcpPlace {
  readonly address: string;
  /** 0: the system chooses. */
  readonly port: number;
}

/** `127.0.0.1:50052` or `[::1]:50052`: nobody is asked for a password here, so no other machine may come. `config.invalid`. */
export function parseLoopback(text: string, field?: string): Result<TcpPlace> {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  const ip = match === null ? null : parseIp(match[1] ?? match[2]!);
  const port = Number(match?.[3]);
  const isLoopback = ip?.ok === true && (ip.value.length === 4 ? ip.value[0] === 127 : isOne(ip.value));
  if (match !== null && isLoopback && port <= 65_535) return ok({ address: match[1] ?? match[2]!, port });
  return err(
    problem(
      'config.invalid',
      'clients need no password here, so TCP is for this machine alone: an address of its loopback and a port, 127.0.0.1:50052 or [::1]:50052',
      field,
    ),
  );
}

function isOne(address: Uint8Array): boolean {
  return address.every((byte, i) => byte === (i === 15 ? 1 : 0));
}
