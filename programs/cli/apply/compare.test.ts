import assert from 'node:assert/strict';
import test from 'node:test';
import { fileText } from '../export/file-text.ts';
import { compare, type Plan } from './compare.ts';
import { ranksOf, type Write } from './order.ts';
import { readSources } from './read.ts';
import { planJson, planText } from './text.ts';
import type { Present, Wanted, Whole } from './things.ts';
import { anyVrouter, dice, keyFrom } from './worlds.testing.ts';

const [k1, k2, k3] = [1, 2, 3].map((seed) => keyFrom(dice(seed))) as [string, string, string];

function wantedOf(text: string): readonly Whole<Wanted>[] {
  const { vrouters, mistakes } = readSources([{ file: 'f', text }]);
  assert.deepEqual(mistakes, []);
  return vrouters;
}

/** What a controller would have after a file was applied. */
function presentOf(text: string): Map<string, Whole<Present>> {
  const usual = {
    vrf: 'default',
    listenPort: 51820,
    endpoint: 'h:51820',
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: 'off',
  };
  return new Map(
    wantedOf(text).map(({ name, own, parts }) => {
      const there = (thing: Wanted, more: object = {}): Present => ({
        ...thing,
        fields: { ...more, ...thing.fields },
        etag: 'tag',
        addresses: ['10.77.0.9/32'],
        usual: false,
      });
      const whole = {
        name,
        own: there(own!, { networks: ['10.77.0.0/24'], ...usual }),
        parts: new Map([...parts].map(([key, part]) => [key, there(part)])),
      };
      return [name, whole];
    }),
  );
}

function planOf(file: string, there: string, prune = false): Plan {
  return compare(wantedOf(file), presentOf(there), prune);
}

/** `replace port lan`, with the fields that are other. */
function said({ steps }: Plan): string[] {
  return steps.map(({ action, kind, id, changes }) =>
    [action, kind, id, changes.map(({ field }) => field).join(',')].filter((word) => word !== '').join(' '),
  );
}

const e = (body: string): string => `vrouters: { e: { ${body} } }`;
const peer = (key: string, more = ''): string => `{ publicKey: ${key}${more} }`;

const cases: readonly (readonly [
  what: string,
  file: string,
  there: string,
  steps: readonly string[],
  prune?: boolean,
])[] = [
  ['nothing is other', e('mtu: 1420'), e(''), []],
  ['an endpoint without a port is one with that of the interface', e('endpoint: h'), e(''), []],
  [
    'and with that which the file wants',
    e('endpoint: h, listenPort: 7'),
    e(''),
    ['change vrouter e listenPort,endpoint'],
  ],
  [
    'networks in another order are the same',
    e('networks: [10.2.0.0/24, 10.1.0.0/24]'),
    e('networks: [10.1.0.0/24, 10.2.0.0/24]'),
    [],
  ],
  ['another network is added', e('networks: [10.78.0.0/24, 10.77.0.0/24]'), e(''), ['change vrouter e networks']],
  ['one that is left out is refused', e('networks: [10.78.0.0/24]'), e(''), ['refuse vrouter e']],
  ['so is another VRF', e('vrf: blue, mtu: 1400'), e(''), ['refuse vrouter e']],
  [
    'the VRF of the vrouter is made with it',
    e('vrf: blue, vrfs: { blue: , default: , red: }'),
    'vrouters: {}',
    ['create vrouter e', 'create vrf red'],
  ],
  [
    'a peer changes in place',
    e(`peers: { p: ${peer(k1, ', persistentKeepalive: 5')} }`),
    e(`peers: { p: ${peer(k1)} }`),
    ['change peer p persistentKeepalive'],
  ],
  [
    'allowed IPs in another order are the same',
    e(`peers: { p: ${peer(k1, ', allowedIps: [10.2.0.0/16, 10.1.0.0/16, 10.77.0.9/32]')} }`),
    e(`peers: { p: ${peer(k1, ', allowedIps: [10.1.0.0/16, 10.2.0.0/16]')} }`),
    [],
  ],
  ['another key in place', e(`peers: { p: ${peer(k2)} }`), e(`peers: { p: ${peer(k1)} }`), ['change peer p publicKey']],
  [
    'which leaves its preshared key',
    e(`peers: { p: ${peer(k2)} }`),
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    ['change peer p publicKey'],
  ],
  [
    'unless that is said',
    e(`peers: { p: ${peer(k2, ', presharedKey: null')} }`),
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    ['change peer p publicKey,presharedKey'],
  ],
  [
    'a preshared key that is not said stays',
    e(`peers: { p: ${peer(k1)} }`),
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    [],
  ],
  [
    'the same one is the same',
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    [],
  ],
  [
    'null takes it away',
    e(`peers: { p: ${peer(k1, ', presharedKey: null')} }`),
    e(`peers: { p: ${peer(k1, `, presharedKey: ${k3}`)} }`),
    ['change peer p presharedKey'],
  ],
  [
    'a key under another name is a new name',
    e(`peers: { q: ${peer(k1, ', persistentKeepalive: 5')} }`),
    e(`peers: { p: ${peer(k1)} }`),
    ['change peer q name,persistentKeepalive'],
    true,
  ],
  [
    'unless the old name is somebody else now',
    e(`peers: { q: ${peer(k1)}, p: ${peer(k2)} }`),
    e(`peers: { p: ${peer(k1)} }`),
    ['create peer q', 'replace peer p publicKey'],
  ],
  ['what no file says is left', e('vrfs: { red: }'), e('vrfs: { blue: , red: }'), []],
  ['and goes with --prune', e('vrfs: { red: }'), e('vrfs: { blue: , red: }'), ['delete vrf blue'], true],
  [
    'routes are made anew',
    e('routes: [{ prefix: 10.0.0.0/8, interface: wg0 }]'),
    e('routes: [{ prefix: 10.0.0.0/8, blackhole: true }]'),
    ['replace route default 10.0.0.0/8 interface,blackhole'],
  ],
  [
    'what goes by an interface is made anew with it',
    e(
      'ports: { lan: { tap: t, mtu: 1400 } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }], masquerades: [{ prefix: 10.0.0.0/8, leaving: [lan] }]',
    ),
    e(
      'ports: { lan: { tap: t } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }, { prefix: 10.3.0.0/16, interface: wg0 }], masquerades: [{ prefix: 10.0.0.0/8, leaving: [lan] }]',
    ),
    ['replace port lan mtu', 'replace route default 10.1.0.0/16', 'replace masquerade default 10.0.0.0/8'],
  ],
  [
    'but not when something goes by it that no file says',
    e('ports: { lan: { tap: t, mtu: 1400 } }'),
    e('ports: { lan: { tap: t } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }]'),
    ['refuse port lan mtu'],
  ],
  [
    'unless it goes, too',
    e('ports: { lan: { tap: t, mtu: 1400 } }'),
    e('ports: { lan: { tap: t } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }]'),
    ['replace port lan mtu', 'delete route default 10.1.0.0/16'],
    true,
  ],
  [
    'an interface that becomes one of another kind',
    e('hostInterfaces: { lan: }, routes: [{ prefix: 10.1.0.0/16, interface: lan }]'),
    e('ports: { lan: { tap: t } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }]'),
    ['create hostInterface lan', 'delete port lan', 'replace route default 10.1.0.0/16'],
    true,
  ],
  [
    'NAT settings are those that are said',
    e('natSettings: { sessions: 5 }'),
    e('natSettings: { sessions: 6, icmpSeconds: 7 }'),
    ['change natSettings default sessions'],
  ],
];
for (const [what, file, there, steps, prune] of cases)
  test(what, () => assert.deepEqual(said(planOf(file, there, prune)), steps));

test('what is counted is all that there is', () => {
  const { same, left, steps } = planOf(
    e('ports: { lan: { tap: t, mtu: 1400 } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }]'),
    e(
      'vrfs: { blue: }, ports: { lan: { tap: t } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }, { prefix: 10.2.0.0/16, interface: wg0 }]',
    ),
  );
  assert.deepEqual([steps.length, same, left], [2, 1, { vrf: 1, route: 1 }]);
});

test('a plan reads as one, and shows no secret', () => {
  const plan = planOf(
    e(
      `mtu: 1400, ports: { lan: { tap: t, mtu: 1400 } }, peers: { p: ${peer(k1, `, presharedKey: ${k3}, allowedIps: [10.1.0.0/16]`)}, q: ${peer(k2, `, presharedKey: ${k3}`)} }`,
    ),
    e(`vrfs: { blue: }, ports: { lan: { tap: t } }, peers: { p: ${peer(k1, `, presharedKey: ${k2}`)} }`),
  );
  assert.equal(
    planText(plan),
    `vrouter e
  ~ change vrouter e
      mtu: 1420 → 1400
  -/+ replace port lan: its traffic is interrupted
      mtu: 1500 → 1400
  ~ change peer p: its session begins anew
      allowedIps: none → 10.1.0.0/16
      presharedKey: (hidden) → (another, hidden)
  + create peer q
      publicKey: ${k2}
      persistentKeepalive: 0
      presharedKey: (hidden)

1 to create, 2 to change, 1 to replace; 1 in no file and left alone (1 VRF); --prune would delete them`,
  );
  const json = JSON.stringify(planJson(plan));
  for (const { wanted, present } of plan.steps)
    for (const secret of [k3, wanted?.fields.presharedKey, present?.fields.presharedKey])
      if (typeof secret === 'string') assert.ok(!json.includes(secret), 'no key, and no fingerprint');
  assert.match(
    json,
    /"counts":\{"create":1,"change":2,"replace":1,"delete":0,"refuse":0,"same":0,"left":\{"vrf":1\}\}/,
  );
});

/** Names of writes, rank by rank. */
function ranks(plan: Plan): string[][] {
  return ranksOf(plan.steps).map((rank) => rank.map(({ verb, step }) => `${verb} ${step.kind} ${step.id}`).sort());
}

test('what goes first frees what comes', () => {
  assert.deepEqual(
    ranks(
      planOf(
        e(
          `mtu: 1400, vrfs: { red: }, ports: { lan: { tap: t, vrf: red } }, peers: { a: ${peer(k2)}, b: ${peer(k3)} }, routes: [{ vrf: red, prefix: 10.0.0.0/8, interface: lan }]`,
        ),
        e(
          `vrfs: { blue: }, ports: { lan: { tap: t, vrf: blue } }, peers: { a: ${peer(k1)}, old: ${peer(k2)} }, routes: [{ vrf: blue, prefix: 10.0.0.0/8, interface: lan }]`,
        ),
        true,
      ),
    ),
    [
      ['change vrouter e'],
      ['delete peer a', 'delete peer old', 'delete route blue 10.0.0.0/8'],
      ['delete port lan'],
      ['delete vrf blue'],
      ['create vrf red'],
      ['create port lan'],
      ['create peer a', 'create peer b'],
      ['create route red 10.0.0.0/8'],
    ],
  );
});

test('a prefix that moves between peers is let go of first; otherwise a change is one write', () => {
  const there = e(
    `peers: { a: ${peer(k1, ', allowedIps: [10.1.0.0/16]')}, b: ${peer(k2, ', allowedIps: [10.2.0.0/16]')}, c: ${peer(k3, ', allowedIps: [10.3.0.0/16]')} }`,
  );
  const file = e(
    `peers: { a: ${peer(k1, ', allowedIps: [10.2.0.0/16]')}, b: ${peer(k2, ', allowedIps: [10.1.0.0/16]')}, c: ${peer(k3, ', allowedIps: [10.4.0.0/16]')} }`,
  );
  assert.deepEqual(ranks(planOf(file, there)), [
    ['release peer a', 'release peer b'],
    ['change peer a', 'change peer b', 'change peer c'],
  ]);
});

test('property: whatever is wanted of whatever there is, each write comes after what it needs', () => {
  let writes = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const wanted = wantedOf(fileText(anyVrouter('e', dice(seed))));
    for (const there of [new Map(), new Map([['e', anyVrouter('e', dice(seed + 1000))]])]) {
      const { steps } = compare(wanted, there, seed % 2 === 0);
      const at = new Map<Write, number>();
      for (const [rank, list] of ranksOf(steps).entries()) for (const write of list) at.set(write, rank);
      for (const [write, rank] of at) for (const need of write.needs) assert.ok(at.get(need)! < rank);
      for (const step of steps.filter(({ action }) => action !== 'refuse'))
        assert.ok(
          [...at.keys()].some((write) => write.step === step),
          'no step is forgotten',
        );
      writes += at.size;
    }
  }
  assert.ok(writes > 2000);
});
