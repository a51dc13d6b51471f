/** Runs over paths that are narrower than their datagrams, which loopback is not: in a namespace with an MTU of 1500. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { udpBackend } from './open.ts';

const here = new URL('.', import.meta.url).href;

const program = `
  const { openUdp } = await import('${here}open.ts');
  const { Inbox, pattern, rowsOf } = await import('${here}testing.ts');
  const { makeEndpoint } = await import('@vrouter/core/endpoint.ts');
  const to = await openUdp({ address: '127.0.0.1', port: 0 });
  const from = await openUdp({ address: '127.0.0.1', port: 0 });
  const inbox = new Inbox(to);
  const there = makeEndpoint(Uint8Array.of(127, 0, 0, 1), to.localPort);
  const sizes = [1400, 1400, 1400, 3000, 3000, 3000, 2000, 1472, 1472, 1400, 1400];
  const taken = from.send(rowsOf(sizes.map(pattern), there));
  await inbox.until(sizes.length);
  const good = inbox.arrivals.every((arrival, i) => Buffer.compare(arrival.bytes, pattern(sizes[i], i)) === 0);
  console.log(JSON.stringify({ taken, good, sender: from.counters, receiver: to.counters }));
  await from.close();
  await to.close();
`;

/** False, or why this world cannot be had here. */
function missing(): string | false {
  if (udpBackend() !== 'recvmmsg') return 'only the system calls bundle';
  const tried = spawnSync('unshare', ['-Urn', 'ip', 'link', 'set', 'lo', 'mtu', '1500', 'up'], { encoding: 'utf8' });
  return tried.status === 0 ? false : 'needs unshare -Urn and ip';
}

it('sends one by one what the path does not take as a run, and goes on bundling the rest', { skip: missing() }, () => {
  const command = 'ip link set lo mtu 1500 up && exec "$0" --input-type=module -e "$1"';
  const output = execFileSync('unshare', ['-Urn', 'sh', '-c', command, process.execPath, program], {
    encoding: 'utf8',
    cwd: new URL('.', import.meta.url),
    timeout: 20_000,
  });
  const { taken, good, sender, receiver } = JSON.parse(output);
  assert.equal(taken, 11);
  assert.equal(good, true);
  assert.equal(sender.sendFull + sender.sendRefused, 0);
  assert.equal(sender.sendUnbundled, 1);
  assert.equal(receiver.coalesced, 2);
});
