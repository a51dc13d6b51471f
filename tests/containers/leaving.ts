/**
 * The way off a host: empty intents, then the end, and the host is what it was before us, byte for byte: links, addresses, routes, rules,
 * nftables, switches, files below /run. A program for namespaces of its own; says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { filesOf, intents, ip, network, onRouter, World } from './world.ts';

if (process.argv[2] === 'switches') {
  // In the router's namespace.
  const folders = ['/proc/sys/net/ipv4', '/proc/sys/net/ipv6', '/proc/sys/net/netfilter'];
  const lines = folders.flatMap((folder) => switchesOf(folder).map(([path, text]) => `${path} ${text.trim()}`));
  writeFileSync(1, lines.sort().join('\n'));
  process.exit(0);
}

function switchesOf(folder: string): [string, string][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return switchesOf(path);
    try {
      return [[path, readFileSync(path, 'utf8')] as [string, string]];
    } catch {
      // Some are only written.
      return [];
    }
  });
}

/** Everything there is, as it is told. */
function host(): { readonly [what: string]: string } {
  // How many flows are known is of the moment, and the key is the kernel's, made by chance for the first who listens to TCP.
  const moments = /nf_conntrack_count|tcp_fastopen_key/;
  const switches = onRouter(`${process.execPath} ${import.meta.filename} switches`);
  return {
    links: ip('-n router -d link'),
    addresses: ip('-n router address'),
    routes: ip('-n router route show table all') + ip('-n router -6 route show table all'),
    rules: ip('-n router rule') + ip('-n router -6 rule'),
    nftables: onRouter('nft list ruleset'),
    switches: switches
      .split('\n')
      .filter((line) => !moments.test(line))
      .join('\n'),
    files: [...filesOf('/run')].map(([path, text]) => `${path} ${text.length}`).join('\n'),
    processes: String(world.resolvers().length),
  };
}

const world = new World();
await world.start();
onRouter('nft -f -', 'table inet mine { chain forward { type filter hook forward priority 0; policy accept; }\n}\n');
onRouter('sysctl -qw net.ipv6.conf.up0.accept_ra=1 net.ipv4.conf.up0.rp_filter=2');
// What the kernel makes of addresses when they have been looked at for duplicates.
await sleep(2500);
const before = host();

async function live(): Promise<void> {
  world.say([
    ...intents,
    network('b', { interface: 'br-b2', id: 'b2', subnets: [{ prefix: 'fd20::/64', gateway: 'fd20::1' }] }),
  ]);
  await world.run();
  await world.settled();
  assert.notEqual(onRouter('nft list ruleset'), before.nftables);
  assert.match(onRouter('sysctl net.ipv4.ip_forward net.ipv6.conf.up0.accept_ra'), /= 1\n.*= 2/);
}

try {
  for (const way of ['reload', 'restart', 'killed meanwhile']) {
    await live();
    world.attach('a');
    if (way === 'killed meanwhile') await world.kill();
    else if (way === 'restart') await world.kill('SIGTERM');
    for (const { ifname } of JSON.parse(ip('-n router -j link')) as { ifname: string }[])
      if (ifname.startsWith('p-')) ip(`-n router link del ${ifname}`);
    world.say([]);
    if (way === 'reload') world.reload();
    else await world.run();
    await sleep(200);
    await world.settled();
    await world.kill('SIGTERM');
    const after = host();
    for (const [what, text] of Object.entries(before)) {
      const lines = new Set(text.split('\n'));
      const odd = [...new Set(after[what]!.split('\n')).symmetricDifference(lines)];
      assert.equal(after[what], text, `${way}: ${what}\n${odd.join('\n')}`);
    }
    console.log(`${way}: nothing is left`);
  }
} finally {
  await world.end();
}
console.log('ok');
process.exit(0);
