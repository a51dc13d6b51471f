/** The ports of the demo, and whether they are free. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { z } from 'zod';

export interface DemoPorts {
  readonly rest: number;
  readonly agents: number;
  readonly wireguard: number;
}

/** Without a wish: 8080, 8443, 51820. With `--port N`: N, N + 1, N + 2. */
export function demoPorts(wish: number | null): DemoPorts {
  return wish === null
    ? { rest: 8080, agents: 8443, wireguard: 51820 }
    : { rest: wish, agents: wish + 1, wireguard: wish + 2 };
}

/**
 * The ports of the network in a folder: the wish when it is new, else those that it was made with, which its peers' files name.
 * Throws ProblemError `input.invalid` when the wish is another.
 */
export function portsOf(folder: string, wish: number | null): DemoPorts {
  const wished = demoPorts(wish);
  const path = portsFile(folder);
  if (!existsSync(path)) return wished;
  const made = portsSchema.safeParse(parseJson(readFileSync(path, 'utf8')));
  if (!made.success) {
    const message = `${path} cannot be read; remove ${folder} to begin anew, or choose another --data`;
    throw new ProblemError(problem('data.corrupt', message));
  }
  if (wish === null || made.data.rest === wished.rest) return made.data;
  const message = `the network in ${folder} was made with REST on port ${made.data.rest}; leave out --port, or choose another --data`;
  throw new ProblemError(problem('input.invalid', message, 'port'));
}

/** Keeps the ports with the network that is now being made on them. */
export function keepPorts(folder: string, ports: DemoPorts): void {
  writeFileSync(portsFile(folder), `${JSON.stringify(ports)}\n`, { mode: 0o600 });
}

const portsSchema = z.object({ rest: z.number(), agents: z.number(), wireguard: z.number() });

function portsFile(folder: string): string {
  return join(folder, 'ports.json');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Throws ProblemError `port.inUse`, with what to do, before anything has been started. */
export async function checkPortsFree(ports: DemoPorts): Promise<void> {
  await tryTcp(ports.rest, 'REST');
  await tryTcp(ports.agents, "the gateways' listener");
  await tryUdp(ports.wireguard);
}

async function tryTcp(port: number, what: string): Promise<void> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (thrown) {
    throw inUse(port, 'TCP', what, thrown);
  }
  server.close();
  await once(server, 'close');
}

async function tryUdp(port: number): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port, '0.0.0.0');
    await once(socket, 'listening');
  } catch (thrown) {
    throw inUse(port, 'UDP', 'WireGuard', thrown);
  }
  socket.close();
  await once(socket, 'close');
}

function inUse(port: number, transport: string, what: string, thrown: unknown): ProblemError {
  const socket = `${transport} port ${port} (${what})`;
  if ((thrown as { code?: string }).code === 'EACCES')
    return new ProblemError(
      problem('port.denied', `${socket} may not be used by this user; say --port N with N above 1023`, 'port'),
    );
  const advice = 'stop what uses it, or say --port N with another --data to take N, N+1 and N+2';
  return new ProblemError(problem('port.inUse', `${socket} is in use; ${advice}`, 'port'));
}
