/**
 * Other firewalls of the host: Docker's rules by the real iptables, a table as firewalld makes one, a user's own. They stay byte for byte what they
 * were over our whole life, handles too; what their policies do to a network is told, and ends with the rules that docs/beside-other-firewalls.md
 * says. A program for namespaces of its own; says `ok` at the end.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { intents, ip, network, onRouter, port, until, World } from './world.ts';

const DOCKER = `
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8088 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`;
const DOCKER6 = `
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
`;
const FIREWALLD = `
table inet firewalld {
  chain mangle_PREROUTING { type filter hook prerouting priority mangle + 10; policy accept; jump mangle_PREROUTING_ZONES
  }
  chain mangle_PREROUTING_ZONES { return
  }
  chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept;
  }
  chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
    ct state { established, related } accept
    iifname "lo" accept
    iifname "up0" jump filter_IN_public
  }
  chain filter_IN_public { tcp dport 22 accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
    ct state { established, related } accept
    ct status dnat accept
    iifname "lo" accept
  }
}
`;
const MINE = `
table inet mine {
  set friends { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.0-10.3.0.9 } }
  chain forward { type filter hook forward priority 5; policy drop;
    ct state established,related accept
    ip saddr @friends accept comment "friends of the house"
  }
}
`;

const world = new World();
await world.start();
for (const table of ['filter', 'nat']) onRouter(`iptables-nft -t ${table} -L`);
onRouter('iptables-nft-restore', DOCKER);
onRouter('ip6tables-nft-restore', DOCKER6);
onRouter('nft -f -', FIREWALLD);

/** All rules that are not ours, with their handles. */
function theirs(): string {
  const tables = onRouter('nft list tables')
    .split('\n')
    .filter((line) => line !== '' && line !== 'table inet vrouter');
  return (
    tables.map((line) => onRouter(`nft -a -s list ${line}`)).join('\n') +
    onRouter('iptables-nft-save') +
    onRouter('ip6tables-nft-save')
  );
}
const withoutCounts = (text: string): string => text.replace(/\[\d+:\d+\]/g, '[0:0]').replace(/^#.*$/gm, '');
let before = withoutCounts(theirs());
const same = (when: string): void => assert.equal(withoutCounts(theirs()), before, when);

const told = async (): Promise<string> => JSON.stringify(await world.ask('/v1/stats'));
const failing = (device: string, is: boolean): Promise<number> =>
  until(
    `${device} is ${is ? '' : 'no more '}told`,
    async () => {
      const { failing: rows } = JSON.parse(await told()) as { failing: { key: string; code: string }[] };
      return rows.some(({ key, code }) => code === 'forward.dropped' && key === `isolation/${device}`) === is;
    },
    15_000,
  );

const { out, a1 } = world.hosts;
async function passes(is: boolean): Promise<void> {
  const rows = [
    [await a1.tcp('192.0.2.2', 80), 'out 192.0.2.1'],
    [await a1.tcp('2001:db8::2', 80), 'out 2001:db8::1'],
    [await out.tcp('192.0.2.1', 8080), 'a1 192.0.2.2'],
    [await out.tcp('2001:db8::1', 8080), 'a1 2001:db8::2'],
  ];
  for (const [said, wanted] of rows) assert.equal(said, is ? wanted : 'nothing');
  // What we drop stays dropped, whoever accepts it.
  assert.equal(await world.hosts.b1.tcp('172.18.0.2', 80), 'nothing');
}

try {
  world.say(intents);
  await world.run();
  await failing('br-a', true);
  await failing('br-b', true);
  world.attach('a', 'b');
  await sleep(2500);
  same('networks were made');
  await passes(false);
  // As the page says.
  for (const program of ['iptables-nft', 'ip6tables-nft'])
    for (const device of ['br-a', 'br-b'])
      for (const way of ['-i', '-o']) onRouter(`${program} -I DOCKER-USER ${way} ${device} -j ACCEPT`);
  before = withoutCounts(theirs());
  await failing('br-a', false);
  await passes(true);
  onRouter('nft -f -', MINE);
  before = withoutCounts(theirs());
  await failing('br-a', true);
  await passes(false);
  for (const way of ['iifname', 'oifname']) onRouter('nft -f -', `add rule inet mine forward ${way} "br-*" accept\n`);
  before = withoutCounts(theirs());
  await failing('br-a', false);
  await passes(true);
  same('it was looked at');
  world.say([...intents, port(9000, '172.19.0.2', 80), network('c', { internal: true, dnsServers: undefined })]);
  world.reload();
  await sleep(200);
  await world.settled();
  same('more was said');
  await world.kill();
  same('killed');
  await world.run();
  await world.settled();
  same('started again');
  try {
    onRouter('nft -f -', 'table inet vrouter { chain more { }\n}\n');
  } catch {}
  await sleep(300);
  same('somebody was at our table');
  for (const { ifname } of JSON.parse(ip('-n router -j link')) as { ifname: string }[])
    if (ifname.startsWith('p-')) ip(`-n router link del ${ifname}`);
  world.say([]);
  world.reload();
  await sleep(200);
  await world.settled();
  await world.kill('SIGTERM');
  assert.throws(() => onRouter('nft list table inet vrouter'));
  same('gone');
} finally {
  await world.end();
}
console.log('ok');
process.exit(0);
