/** `--dry-run` against a real controller: each command that changes something shows what it would do, and does not. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { previewReply } from '@vrouter/api/rest/preview.ts';
import { runHere } from '../../programs/cli/in-process.testing.ts';
import { serve } from '../../programs/cli/server.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-dry-run-'));
let controller: ControllerProcess | undefined;
const key = (n: number): string => Buffer.alloc(32, n).toString('base64');

async function run(...args: readonly string[]) {
  return runHere(args, { env: { VROUTER_CONTROLLER: controller!.rest, VROUTER_TOKEN: controller!.token } });
}

async function done(command: string): Promise<string> {
  const { status, out, err } = await run(...command.split(' '));
  assert.equal(status, 0, err);
  return out;
}

before(async () => {
  controller = await ControllerProcess.start(folder);
  for (const [path, body] of [
    ['', { name: 'e', networks: ['10.77.0.0/24'] }],
    ['/e/peers', { name: 'p', publicKey: key(1) }],
    ['/e/routes', { prefix: '172.16.0.0/16', blackhole: true }],
    ['/e/vrfs', { name: 'blue' }],
    ['/e/host-interfaces', { name: 'host0', addresses: ['10.99.0.1/24'] }],
    ['/e/ports', { name: 'lan', device: 'eth1' }],
    ['/e/masquerades', { prefix: '10.77.0.0/24' }],
    ['/e/published-ports', { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080 }],
    ['/e/floating-ips', { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.2' }],
  ] as const)
    assert.equal((await controller.call('POST', `/v1/vrouters${path}`, body)).status, 201, path);
  assert.equal((await controller.call('PATCH', '/v1/vrouters/e/nat-settings', { udpSeconds: 60 })).status, 200);
});
after(async () => {
  await controller?.end('SIGTERM');
  rmSync(folder, { recursive: true });
});

for (const [command, words] of [
  ['vrouter create f', /^f: version 0 -> 1; nothing is changed yet[\s\S]*a join string would be made/],
  ['vrouter set e --mtu 1300', /wg0 changes \(mtu: 1420 -> 1300\)[\s\S]*traffic goes on as it is/],
  ['vrouter set e --add-network 10.78.0.0/24', /peer p changes \(allowedIps: \+10\.78\.0\.2\/32\)/],
  ['vrouter delete e', /and then it is gone/],
  ['vrouter token e', /a join string would be made/],
  ['vrouter confirm e', /nothing for the gateway to do/],
  [`peer add e q --public-key ${key(2)}`, /peer q may connect, with 10\.77\.0\.3\/32/],
  ['peer set e p --psk', /new handshake[\s\S]*peer p changes \(presharedKey: from now on\)/],
  ['peer remove e p', /delete +wireguardPeer\/wg0\/\S+ +CUTS OFF +peer p ends[\s\S]*some traffic is cut off/],
  ['route add e 172.17.0.0/16 --interface wg0', /leads out of wg0/],
  ['route remove e 172.16.0.0/16', /CUTS OFF/],
  ['vrf add e red', /VRF red is made/],
  ['vrf remove e blue', /VRF blue ends/],
  ['host-interface add e host1 --address 10.98.0.1/24', /host1 comes up[\s\S]*allow: \{ hostInterface: true \}/],
  ['host-interface remove e host0', /interface host0 ends/],
  ['port add e wan --device eth2', /allow: \{ port: true \}/],
  ['port remove e lan', /interface lan ends/],
  ['masquerade add e 10.1.0.0/16', /packets of 10\.1\.0\.0\/16/],
  ['masquerade remove e 10.77.0.0/24', /its translations end/],
  ['published-port add e udp/53 10.77.0.2:53', /udp\/\*:53 becomes 10\.77\.0\.2:53/],
  ['published-port remove e tcp/80', /its translations end/],
  ['floating-ip add e www 192.0.2.8 10.77.0.3', /192\.0\.2\.8 becomes/],
  ['floating-ip remove e mail', /its translations end/],
  ['nat-settings set e --udp-seconds 90', /udpSeconds: 60 -> 90/],
  ['nat-settings reset e', /the usual ones hold again/],
] as const)
  test(command, async () => {
    const { json: audit } = await controller!.call('GET', '/v1/audit');
    assert.match(await done(`${command} --dry-run`), words);
    assert.deepEqual((await controller!.call('GET', '/v1/audit')).json, audit, 'nothing was done');
  });

test('--json is what the controller said', async () => {
  const raw = previewReply.parse(JSON.parse(await done('peer remove e p --dry-run --json')));
  assert.deepEqual([raw.action, raw.gateways[0]!.counts.interrupt], ['peer.delete', 2]);
});

test('what would be refused is refused, and the exit status says so', async () => {
  const { status, err } = await run('peer', 'remove', 'e', 'nobody', '--dry-run');
  assert.equal(status, 1);
  assert.match(err, /peer\.notFound/);
});

test('no secret is shown, and no file is left', async () => {
  const out = join(folder, 'phone.psk');
  const shown = await done(`peer set e p --psk --out ${out} --dry-run`);
  assert.doesNotMatch(shown, /PresharedKey =/);
  assert.equal(existsSync(out), false);
});

test('a controller that knows no dry runs is asked to change nothing', async () => {
  const version = {
    name: 'vrouter-controller',
    version: '0',
    controllerId: 'c',
    rootFingerprint: 'f',
    agents: 'a',
    startedUnixMs: 0,
  };
  await using server = await serve(() => ({ body: version }));
  const { status, err } = await runHere(['peer', 'remove', 'e', 'p', '--dry-run'], {
    env: { VROUTER_CONTROLLER: server.at },
  });
  assert.equal(status, 1);
  assert.match(err, /knows no dry runs/);
  assert.deepEqual(
    server.seen.map(({ method }) => method),
    ['GET'],
  );
});

test('commands that cannot look first have no such option', async () => {
  for (const command of ['user delete kim', 'ca rotate', 'peer list e'])
    assert.equal((await run(...command.split(' '), '--dry-run')).status, 2, command);
});
