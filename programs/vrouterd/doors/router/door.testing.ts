/** The door over intents in memory, on a unix socket and TCP. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { sessionTo } from './client.testing.ts';
import { RouterDoor } from './door.ts';
import { MemoryIntents } from './memory.testing.ts';
import { silent } from './world.testing.ts';

export interface Open {
  readonly intents: MemoryIntents;
  readonly socket: string;
  readonly port: number;
  readonly door: RouterDoor;
}

export async function open(t: TestContext): Promise<Open> {
  const folder = mkdtempSync(join(tmpdir(), 'router-'));
  const intents = new MemoryIntents();
  const socket = join(folder, 's');
  const places = { vsockPort: null, allowedCids: [], socket, tcp: { address: '127.0.0.1', port: 0 } };
  const door = new RouterDoor({ intents, parent: () => 'eth0', listeners: () => [], log: silent }, places);
  await door.start();
  t.after(async () => {
    await door.stop();
    await door.stop();
    assert.equal(existsSync(socket), false);
    rmSync(folder, { recursive: true });
  });
  return { intents, socket, port: door.listeners.port!, door };
}

export async function session(t: TestContext, port: number): Promise<ClientHttp2Session> {
  const made = sessionTo(port);
  await once(made, 'connect');
  t.after(() => made.destroy());
  return made;
}

export const path = (name: string): string => `/router.RouterService/${name}`;
