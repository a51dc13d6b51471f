/**
 * What happens to a host that routes for containers, and that it is as before by itself: a program for namespaces of its own, says `ok` at
 * the end. First the disaster, then how long it took, and what two downloads heard of it meanwhile.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { contrast, difference, snapshot } from './snapshot.ts';
import { type Download, intents, ip, NAMES, onRouter, run, until, World } from './world.ts';

const world = new World();
await world.start();
world.say(intents);
await world.run();
world.attach('a', 'b');
await sleep(2500);
const wanted = snapshot();
assert.match(wanted.table, /8080/);
for (const [part, text] of Object.entries(wanted)) assert.notEqual(text, '', part);
const servers = [await world.serve('a1', 7000), await world.serve('out', 7001)];

let downloads: readonly Download[] = [];
const isSame = (): boolean => difference(snapshot(), wanted) === '';
const answers = (letter: string, address: string): boolean => {
  try {
    return (
      run(`ip netns exec ${letter}1 dig +short +time=1 +tries=1 @172.${letter === 'a' ? 18 : 19}.0.1 web`).trim() ===
      address
    );
  } catch {
    return false;
  }
};

async function begin(): Promise<void> {
  downloads = [await world.download('out', '192.0.2.1', 7000), await world.download('a1', '192.0.2.2', 7001)];
}

/** Everything is as it was, names are answered, packets go as they should. */
async function whole(): Promise<void> {
  const { out, a1, b1 } = world.hosts;
  await until('names are answered', () => answers('a', '172.18.0.2') && answers('b', '172.19.0.2'));
  assert.equal(await out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2');
  // Addresses of IPv6 are looked at for duplicates first, for a second or two (RFC 4862 section 5.4).
  await until('IPv6', async () => (await out.tcp('2001:db8::1', 8080)) === 'a1 2001:db8::2', 5000);
  assert.equal(await a1.tcp('192.0.2.2', 80), 'out 192.0.2.1');
  assert.equal(await b1.tcp('172.18.0.2', 9999), 'nothing');
}

type Flows = 'go on' | 'may end';

async function disaster(title: string, flows: Flows, cause: () => unknown, limitMs = 5000): Promise<void> {
  await begin();
  await sleep(200);
  await Promise.all(downloads.map((one) => one.heard()));
  await cause();
  const tookMs = await until(title, isSame, limitMs).catch((thrown) => {
    console.error(contrast(snapshot(), wanted), world.log.slice(-3000));
    throw thrown;
  });
  await whole();
  await sleep(700);
  const heard = await Promise.all(downloads.map((one) => one.heard()));
  console.log(
    `${title}: ${tookMs} ms; downloads ${heard.map(({ silence, ended }) => ended ?? `silent ${silence} ms`).join(', ')}`,
  );
  if (flows === 'go on') for (const one of heard) assert.equal(one.ended, null, title);
  for (const one of downloads) await one.end();
}

const restart = async (): Promise<void> => {
  await world.kill();
  await world.run();
};

try {
  await disaster('nothing', 'go on', () => {});
  await disaster('kill -9 and start', 'go on', restart);
  await disaster('SIGTERM and start', 'go on', async () => {
    await world.kill('SIGTERM');
    assert.ok(isSame(), 'a stopped daemon leaves everything');
    await whole();
    await world.run();
  });
  // Before Linux 6.9 nobody can have a table for themselves: it is gone for a moment, in which answers find nobody.
  const [major, minor] = release().split('.').map(Number);
  const isHeld: Flows = major! > 6 || (major === 6 && minor! >= 9) ? 'go on' : 'may end';
  await disaster('nft flush ruleset', isHeld, () => onRouter('nft flush ruleset'));
  await disaster('nft delete table inet vrouter', isHeld, () => {
    try {
      onRouter('nft delete table inet vrouter');
    } catch {}
  });
  await disaster('ip link del br-b', 'go on', () => ip('-n router link del br-b'));
  // With the cables that others had put into it.
  await disaster('ip link del br-a', 'go on', () => ip('-n router link del br-a'));
  await disaster('ip link set br-b down', 'go on', () => ip('-n router link set br-b down'));
  await disaster('ip link set br-a name br-hand', 'go on', () => ip('-n router link set br-a name br-hand'));
  await disaster('ip link set br-a alias other group 0', 'go on', () =>
    ip('-n router link set br-a alias other group 0'),
  );
  await disaster('ip addr flush dev br-b', 'go on', () => ip('-n router address flush dev br-b'));
  await disaster('ip addr flush dev br-a', 'may end', () => ip('-n router address flush dev br-a'));
  await disaster('ip route flush dev br-a', 'go on', () => ip('-n router route flush dev br-a'));
  await disaster('sysctl ip_forward=0', 'go on', () => onRouter('sysctl -qw net.ipv4.ip_forward=0'), 8000);
  await disaster(
    'sysctl ipv6 forwarding=0',
    'go on',
    () => onRouter('sysctl -qw net.ipv6.conf.all.forwarding=0'),
    8000,
  );
  await disaster(
    'sysctl route_localnet=0',
    'go on',
    () => onRouter('sysctl -qw net.ipv4.conf.br-a.route_localnet=0'),
    8000,
  );
  await disaster('death of every dnsmasq', 'go on', () => {
    for (const { pid } of world.resolvers()) process.kill(pid, 'SIGKILL');
  });
  await disaster('no folder of names', 'go on', () => rmSync(NAMES, { recursive: true }), 8000);
  await disaster('all of it while nobody looks', 'may end', async () => {
    await world.kill();
    onRouter('nft flush ruleset');
    ip('-n router address flush dev br-a');
    onRouter('sysctl -qw net.ipv4.ip_forward=0');
    for (const { pid } of world.resolvers()) process.kill(pid, 'SIGKILL');
    rmSync(NAMES, { recursive: true });
    await world.run();
  });
  await disaster(
    'reboot',
    'may end',
    async () => {
      await world.crash();
      world.spawn();
      await until('bridges', () => {
        const links = ip('-n router -br link');
        return links.includes('br-a') && links.includes('br-b');
      });
      world.attach('a', 'b');
    },
    10_000,
  );
} finally {
  for (const one of servers) await one.end();
  await world.end();
}
console.log('ok');
process.exit(0);
