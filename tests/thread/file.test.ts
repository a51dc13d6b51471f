/** A gateway without a controller: its file alone says what it is. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { Child } from '../../programs/demo/world/child.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';

const vrouterd = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));

/** One for each peer that a file has. */
const keys = [await newKeyPair(), await newKeyPair()];

function configOf(folder: string, peers: readonly string[]): string {
  const wg0 = { kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', listenPort: 0 };
  const address = { kind: 'address', interface: 'wg0', address: '10.5.0.1/24' };
  const intents = peers.map((name, i) => ({
    kind: 'peer',
    interface: 'wg0',
    name,
    publicKey: keys[i]!.publicKey,
    allowedIps: [`10.5.0.${i + 2}/32`],
  }));
  // YAML takes JSON as it is.
  return JSON.stringify({ plane: 'userspace', data: folder, intents: [wg0, address, ...intents] });
}

test('the file is what is: at start, after SIGHUP, and not when it is wrong', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-file-'));
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  const config = join(folder, 'vrouterd.yaml');
  const gateway = new GatewayApi(join(data, 'vrouterd.sock'));
  const names = (): Promise<string[]> => gateway.peers().then((peers) => peers.map((peer) => peer.name));
  writeFileSync(config, configOf(data, ['a', 'b']));
  const daemon = new Child({
    name: 'vrouterd',
    command: process.execPath,
    args: [vrouterd, '--config', config],
    logPath: join(folder, 'log'),
  });
  try {
    const are = (wanted: string[]) => async () => ((await names()).join() === wanted.join() ? true : null);
    await waitFor('the peers of the file', 15_000, are(['a', 'b']));
    writeFileSync(config, configOf(data, ['c']));
    daemon.process.kill('SIGHUP');
    await waitFor('the peers of the new file', 5000, are(['c']));
    writeFileSync(config, configOf(data, ['d']).replace('10.5.0.2/32', '10.5.0.2/33'));
    daemon.process.kill('SIGHUP');
    await waitFor('the mistake to be told', 5000, async () => {
      const { message } = daemon.failure('').problem;
      return /stays as it was/.test(message) ? true : null;
    });
    assert.deepEqual(await names(), ['c']);
  } finally {
    await gateway.stopEngine().catch(() => {});
    await daemon.stop();
    rmSync(folder, { recursive: true });
  }
});
