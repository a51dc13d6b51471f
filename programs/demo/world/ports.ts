/** The ports of the demo, and whether they are free. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

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
  const path = join(folder, 'ports.json');
  const wished = demoPorts(wish);
  if (!existsSync(path)) {
    writeFileSync(path, `${JSON.stringify(wished)}\n`, { mode: 0o600 });
    return wished;
  }
  const made = JSON.parse(readFileSync(path, 'utf8')) as DemoPorts;
  if (wish === null || made.rest === wished.rest) return made;
  const message = `the network in ${folder} was made with REST on port ${made.rest}; leave out --port, or choose another --data`;
  throw new ProblemError(problem('input.invalid', message, 'port'));
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
  const code = (thrown as { code?: string }).code;
  const why = code === 'EACCES' ? 'may not be used by this user' : 'is in use';
  const advice = 'stop what uses it, or say --port N to take N, N+1 and N+2';
  return new ProblemError(problem('port.inUse', `${transport} port ${port} (${what}) ${why}; ${advice}`, 'port'));
}
