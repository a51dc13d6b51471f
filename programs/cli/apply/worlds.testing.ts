/** Vrouters at random, as a controller would show them; for the properties of plans and files. */
import { fingerprintOf } from './fingerprint.ts';
import { canonicalFields } from './forms.ts';
import { type Fields, idOf, type Kind, keyOf, type PartKind, type Present, type Whole } from './things.ts';

/** A source of numbers from 0 to below 1. */
export type Dice = () => number;

/** Mulberry32: the same seed, the same numbers. */
export function dice(seed: number): Dice {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function keyFrom(roll: Dice): string {
  return Uint8Array.from({ length: 32 }, () => Math.floor(roll() * 256)).toBase64();
}

/** A vrouter with some of everything, some of it under names that YAML would take for something else. */
export function anyVrouter(name: string, roll: Dice): Whole<Present> {
  const pick = <T>(...values: readonly T[]): T => values[Math.floor(roll() * values.length)]!;
  const some = (most: number): number[] => Array.from({ length: Math.floor(roll() * (most + 1)) }, (_, i) => i);
  const present = (kind: Kind, id: string, said: object, more: Partial<Present> = {}): Present => ({
    kind,
    vrouter: name,
    id,
    fields: canonicalFields(kind, said as Fields),
    etag: keyFrom(roll).slice(0, 22),
    addresses: [],
    usual: false,
    ...more,
  });
  const parts: Present[] = [];
  const vrfs = some(2).map((i) => pick(`blue${i}`, `00${i}`, `1e${i}`));
  const vrf = (): string => pick('default', ...vrfs);
  for (const id of new Set(vrfs)) parts.push(present('vrf', id, {}));
  for (const i of some(2))
    parts.push(
      present('hostInterface', `host${i}`, {
        vrf: vrf(),
        mtu: pick(1420, 1400),
        mssClamp: pick('auto', 'off'),
        sourceCheck: pick('off', 'strict'),
        addresses: some(2).map((j) => `10.99.${i}.${j + 1}/24`),
        routes: some(2).map((j) => `fd${i}${j}::/64`),
      }),
    );
  for (const i of some(2)) {
    const tap = roll() < 0.5;
    parts.push(
      present('port', `lan${i}`, {
        vrf: vrf(),
        mtu: pick(1500, 9000),
        device: tap ? null : `eth${i}`,
        tap: tap ? `tap${i}` : null,
        mac: pick(null, '02:00:00:00:00:01'),
        vlanId: tap ? null : pick(null, 7),
        mssClamp: 'auto',
        sourceCheck: 'off',
        addresses: some(1).map(() => `192.168.${i}.1/24`),
      }),
    );
  }
  for (const i of some(4)) {
    const publicKey = keyFrom(roll);
    const addresses = [`10.77.0.${i + 2}/32`];
    const peer = present(
      'peer',
      pick(`p${i}`, `0${i}`, `true.${i}`, `${i}`),
      {
        publicKey,
        presharedKey: null,
        allowedIps: some(2).map((j) => `10.${i}.${j}.0/24`),
        endpoint: pick(null, '192.0.2.1:51820', '[2001:db8::1]:1'),
        persistentKeepalive: pick(0, 25),
      },
      { addresses },
    );
    const secret = roll() < 0.3 ? { presharedKey: fingerprintOf(publicKey, keyFrom(roll)) } : {};
    parts.push({ ...peer, fields: { ...withoutSecret(peer.fields), ...secret } });
  }
  const lone = (kind: PartKind, said: object): void => {
    parts.push(present(kind, idOf(kind, said as Fields), said));
  };
  for (const i of some(3)) {
    const link = pick(null, 'wg0', 'lan0');
    lone('route', {
      vrf: vrf(),
      prefix: `172.16.${i}.0/24`,
      interface: link,
      nextHop: link === 'lan0' ? '192.168.0.9' : null,
      blackhole: link === null,
    });
  }
  for (const i of some(2))
    lone('masquerade', {
      vrf: vrf(),
      prefix: `10.${i}.0.0/16`,
      leaving: pick(null, ['lan0'], ['host0', 'lan0']),
      addresses: pick(null, ['192.0.2.1']),
    });
  for (const i of some(2))
    lone('publishedPort', {
      vrf: vrf(),
      protocol: pick('tcp', 'udp'),
      hostAddress: pick(null, '192.0.2.1'),
      hostPort: 80 + i * 100,
      address: '10.77.0.2',
      port: 80,
      count: pick(1, 3),
    });
  for (const i of some(2))
    parts.push(present('floatingIp', `f${i}`, { vrf: vrf(), address: `192.0.2.${i}`, fixedAddress: `10.77.0.${i}` }));
  parts.push(
    present(
      'natSettings',
      'default',
      {
        sessions: 1000,
        sessionsPerHost: 10,
        udpSeconds: 300,
        udpOneWaySeconds: 60,
        tcpEstablishedSeconds: 7440,
        tcpTransitorySeconds: 240,
        icmpSeconds: pick(60, 61),
      },
      { usual: roll() < 0.5 },
    ),
  );
  const own = present('vrouter', name, {
    networks: pick(['10.77.0.0/24'], ['10.77.0.0/24', 'fd77::/64']),
    vrf: 'default',
    listenPort: 51820,
    endpoint: pick('h:1', '[::2]:51820'),
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: pick('off', 'loose'),
  });
  return { name, own, parts: new Map(parts.map((part) => [keyOf(part), part])) };
}

function withoutSecret({ presharedKey: _none, ...rest }: Fields): Fields {
  return rest;
}
