/** The door over VSOCK, to be run in a kernel with VSOCK loopback: an older client on context 1, and a door that knows context 2 alone. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ProblemError } from '@vrouter/core/problem.ts';
import { connectVsock } from '@vrouter/host/vsock/connect.ts';
import { VMADDR_CID_HOST, VMADDR_CID_LOCAL } from '@vrouter/host/vsock/syscalls.ts';
import { olderClient, sessionOver } from './client.testing.ts';
import { RouterDoor } from './door.ts';
import { MemoryIntents } from './memory.testing.ts';
import { silent } from './world.testing.ts';

const PORT = 50_052;

function door(allowedCids: readonly number[], vsockPort: number): RouterDoor {
  const places = { vsockPort, allowedCids, socket: null, tcp: null };
  return new RouterDoor(
    { intents: new MemoryIntents(), parent: () => 'eth0', listeners: () => [], log: silent },
    places,
  );
}

const open = door([VMADDR_CID_LOCAL], PORT);
await open.start();
assert.equal(open.listeners.vsockPort, PORT);
await assert.rejects(
  door([VMADDR_CID_LOCAL], PORT).start(),
  (thrown) => thrown instanceof ProblemError && thrown.problem.code === 'port.inUse',
);
const socket = await connectVsock(VMADDR_CID_LOCAL, PORT);
const client = olderClient(sessionOver(socket));
const hosts = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`host-${i}`, '172.18.0.2']));
assert.equal((await client.createVLAN({ vlanId: 100, subnet: '172.18.0.0/16', gateway: '172.18.0.1' })).error, '');
assert.equal((await client.configureDNS({ vlanId: 100, hosts })).error, '');
assert.equal((await client.configureNAT({ vlanId: 100, sourceSubnet: '172.18.0.0/16' })).error, '');
assert.equal((await client.removeNAT({ vlanId: 100, sourceSubnet: '172.18.0.0/16' })).error, '');
const mapping = { containerIp: '172.18.0.2', containerPort: 80, hostPort: 8080, protocol: 'tcp', vlanId: 100 };
assert.equal((await client.addPortMapping(mapping)).error, '');
assert.equal((await client.removePortMapping(mapping)).error, '');
const { vlans } = await client.listVLANs({ vlanId: 100 });
assert.deepEqual(
  vlans.map(({ interfaceName, natEnabled }) => [interfaceName, natEnabled]),
  [['eth0.100', false]],
);
assert.equal((await client.deleteVLAN({ vlanId: 100 })).error, '');
assert.equal((await client.getHealth({})).status, 'running');

const strange = door([VMADDR_CID_HOST], PORT + 1);
await strange.start();
const refused = await connectVsock(VMADDR_CID_LOCAL, PORT + 1);
refused.on('error', () => {});
refused.resume();
await once(refused, 'close');

const closed = new Promise((resolve) => socket.once('close', resolve));
await open.stop();
await closed;
await strange.stop();
console.log('ok');
