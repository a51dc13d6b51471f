/**
 * Networks as people script them: a bridge with an address, a masquerade, ten published ports, isolation, and a dnsmasq. Scripts for bash in a
 * namespace of their own, which print a line `US_TO_MAKE US_TO_REMOVE` for each round.
 */

/** Ports of a network, as many as ours have. */
const PORTS = 10;

interface Script {
  /** Before anything else. */
  readonly base: string;
  /** What to feed `load` with for network `n`. */
  readonly add: (n: number) => readonly string[];
  readonly remove: (n: number) => readonly string[];
  /** Reads lines of many networks at once. */
  readonly load: string;
  /** Runs the lines of one network. */
  readonly one: (lines: readonly string[]) => string;
}

const net = (n: number): string => `10.${n >> 8}.${n & 255}`;
const ports = (n: number): number[] => Array.from({ length: PORTS }, (_, i) => 1000 + n * PORTS + i);

/** One `nft -f` for each network; maps and sets as nft(8) recommends, so that nothing grows by rules. */
export const byNft: Script = {
  base: `nft -f - <<'EOF'
table inet mine {
  set nets { type ifname; }
  map ports { type inet_service : ipv4_addr . inet_service; }
  map sources { type ipv4_addr : verdict; flags interval; }
  chain pre { type nat hook prerouting priority dstnat; fib daddr type local dnat ip to tcp dport map @ports; }
  chain out { type nat hook output priority -100; fib daddr type local dnat ip to tcp dport map @ports; }
  chain masquerading { oifname @nets accept; masquerade; }
  chain post { type nat hook postrouting priority srcnat; ip saddr vmap @sources; }
  chain crossing { ct status dnat accept; ct state established,related accept; iifname @nets oifname @nets drop; }
  chain forward { type filter hook forward priority filter; iifname @nets jump crossing; }
}
EOF`,
  load: 'nft -f -',
  one: (lines) => `nft -f - <<'EOF'\n${lines.join('\n')}\nEOF`,
  add: (n) => [
    `add element inet mine nets { br${n} }`,
    `add element inet mine sources { ${net(n)}.0/24 : goto masquerading }`,
    `add element inet mine ports { ${ports(n)
      .map((port, i) => `${port} : ${net(n)}.2 . ${80 + i}`)
      .join(', ')} }`,
  ],
  remove: (n) => [
    `delete element inet mine nets { br${n} }`,
    `delete element inet mine sources { ${net(n)}.0/24 }`,
    `delete element inet mine ports { ${ports(n).join(', ')} }`,
  ],
};

const nat = (n: number): string[] => [
  `POSTROUTING -s ${net(n)}.0/24 ! -o br${n} -j MASQUERADE`,
  ...ports(n).flatMap((port, i) => [
    `PUBLISHED ! -i br${n} -p tcp --dport ${port} -j DNAT --to-destination ${net(n)}.2:${80 + i}`,
    `POSTROUTING -s ${net(n)}.2 -d ${net(n)}.2 -p tcp --dport ${80 + i} -j MASQUERADE`,
  ]),
];
const filter = (n: number): string[] => [
  `ISOLATED -i br${n} ! -o br${n} -j CROSSING`,
  `CROSSING -o br${n} -j DROP`,
  `FORWARD -o br${n} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
  ...ports(n).map((_, i) => `PUBLISHED -d ${net(n)}.2 ! -i br${n} -o br${n} -p tcp --dport ${80 + i} -j ACCEPT`),
];
const TOOL = 'iptables-nft';
const alone = (lines: readonly string[]): string => lines.map((line) => `${TOOL} ${line}`).join('\n');

/** A call for each rule, as container engines have long done it. */
export const byIptables: Script = {
  base: `${TOOL}-restore <<'EOF'
*nat
:PUBLISHED -
-A PREROUTING -m addrtype --dst-type LOCAL -j PUBLISHED
-A OUTPUT -m addrtype --dst-type LOCAL -j PUBLISHED
COMMIT
*filter
:PUBLISHED -
:ISOLATED -
:CROSSING -
-A FORWARD -j PUBLISHED
-A FORWARD -j ISOLATED
COMMIT
EOF`,
  load: `${TOOL}-restore --noflush`,
  one: alone,
  add: (n) => [...nat(n).map((rule) => `-t nat -A ${rule}`), ...filter(n).map((rule) => `-A ${rule}`)],
  remove: (n) => [...nat(n).map((rule) => `-t nat -D ${rule}`), ...filter(n).map((rule) => `-D ${rule}`)],
};

/** Rules of many networks in the form that iptables-restore reads; nft reads them as they are. */
function many(script: Script, count: number): string {
  const lines = Array.from({ length: count }, (_, n) => script.add(n)).flat();
  if (script === byNft) return lines.join('\n');
  const natLines = lines.filter((line) => line.startsWith('-t nat ')).map((line) => line.slice('-t nat '.length));
  const filterLines = lines.filter((line) => !line.startsWith('-t nat '));
  return ['*nat', ...natLines, 'COMMIT', '*filter', ...filterLines, 'COMMIT'].join('\n');
}

/** Bound once: with `--bind-dynamic` each of a thousand would look at all addresses whenever a network comes, and nothing else be done. */
const resolver = (n: number): string =>
  `dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces --interface=br${n} --except-interface=lo --user=root \
--domain=bench.example --local=/bench.example/ --host-record=web,web.bench.example,${net(n)}.2 --pid-file=$PWD/${n}.pid`;

/** `standing` networks first, then `rounds` times one more that comes and goes, all in the current folder. `withNames`: with a dnsmasq each. */
export function scriptOf(script: Script, standing: number, rounds: number, withNames: boolean): string {
  const links = (n: number): string => `link add br${n} type bridge
address add ${net(n)}.1/24 dev br${n}
link set br${n} up`;
  const names = (n: number): string => (withNames ? resolver(n) : ':');
  const round = (n: number): string => `begin=$EPOCHREALTIME
ip -batch - <<'EOF'\n${links(n)}\nEOF
${script.one(script.add(n))}
${names(n)}
made=$EPOCHREALTIME
${withNames ? `kill $(cat ${n}.pid)` : ':'}
${script.one(script.remove(n))}
ip link del br${n}
end=$EPOCHREALTIME
echo $(( (\${made/./} - \${begin/./}) )) $(( (\${end/./} - \${made/./}) ))`;
  const all = Array.from({ length: standing }, (_, n) => n);
  return `set -e
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
${script.base}
ip -batch - <<'EOF'\n${all.map(links).join('\n')}\nEOF
${script.load} <<'EOF'\n${many(script, standing)}\nEOF
${all.map(names).join('\n')}
${Array.from({ length: rounds }, (_, i) => round(standing + i)).join('\n')}
`;
}
