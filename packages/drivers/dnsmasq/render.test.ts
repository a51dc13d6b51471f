import assert from 'node:assert/strict';
import test from 'node:test';
import type { DnsRecordObject, DnsZoneObject } from '@vrouter/intent/model/objects.ts';
import fc from 'fast-check';
import { checkRecord, checkZone, isHostName, parseUpstream } from './check.ts';
import { zoneFiles } from './layout.ts';
import { configurationText, forwardersText, namesText, parseNames } from './render.ts';

const zone = (over: Partial<DnsZoneObject> = {}): DnsZoneObject => ({
  kind: 'dnsZone',
  name: 'blue',
  link: 'br-blue',
  listen: ['172.18.0.1'],
  domain: 'blue.example',
  upstreams: null,
  ...over,
});
const record = (name: string, data: string): DnsRecordObject => ({
  kind: 'dnsRecord',
  zone: 'blue',
  name,
  type: data.includes(':') ? 'AAAA' : 'A',
  data,
});

test('the configuration is only another one when the link is, or who is asked in general', () => {
  const text = (over: Partial<DnsZoneObject>): string =>
    configurationText(zone(over), zoneFiles('/run/names', 'blue'), '/etc/resolv.conf');
  assert.match(text({}), /^interface=br-blue$/m);
  assert.match(text({}), /^resolv-file=\/etc\/resolv\.conf$/m);
  assert.match(text({}), /^servers-file=\/run\/names\/blue\/forwarders$/m);
  assert.match(text({ upstreams: [] }), /^no-resolv$/m);
  assert.equal(text({ domain: null, listen: [] }), text({}));
  assert.equal(text({ upstreams: ['192.0.2.1'] }), text({ upstreams: [] }));
});

test('names are sorted, so that the first of an address is its name; the domain comes after', () => {
  const records = [record('web', '172.18.0.2'), record('db', '172.18.0.2'), record('db', 'fd18::2')];
  assert.equal(
    namesText(zone(), records),
    [
      '172.18.0.2 db',
      'fd18::2 db',
      '172.18.0.2 web',
      '# the same with the domain',
      '172.18.0.2 db.blue.example',
      'fd18::2 db.blue.example',
      '172.18.0.2 web.blue.example',
      '',
    ].join('\n'),
  );
});

test('who is asked: our own domain nobody, known names outside it nobody, what is below those everybody', () => {
  const records = [
    record('web', '172.18.0.2'),
    record('api.example.org', '172.18.0.3'),
    record('a.blue.example', '172.18.0.4'),
  ];
  assert.equal(
    forwardersText(zone({ upstreams: ['192.0.2.1', '192.0.2.2:5353', '[2001:db8::1]:53', '2001:db8::2'] }), records),
    [
      'server=//',
      'server=/blue.example/',
      'server=/api.example.org/',
      'server=/*.api.example.org/#',
      'server=192.0.2.1',
      'server=192.0.2.2#5353',
      'server=2001:db8::1#53',
      'server=2001:db8::2',
      '',
    ].join('\n'),
  );
  assert.equal(forwardersText(zone({ domain: null, upstreams: [] }), records), 'server=//\nserver=/#/\n');
  assert.match(forwardersText(zone({ domain: null }), records), /a\.blue\.example/);
});

test('what was written is read back, for any names', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  const name = fc
    .array(label, { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join('.').slice(0, 200).replace(/\.$/, ''));
  const address = fc.oneof(
    fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.0.${a}.${b}`),
    fc.integer({ min: 1, max: 65535 }).map((n) => `fd18::${n.toString(16)}`),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, address)),
      fc.option(fc.constant('blue.example'), { nil: null }),
      (rows, domain) => {
        const records = new Map(rows.map(([n, a]) => [`${n} ${a}`, record(n, a)]));
        const all = [...records.values()];
        for (const one of all) assert.equal(checkRecord(one, domain), null);
        const text = namesText(zone({ domain }), all);
        const back = parseNames(text, 'blue');
        assert.deepEqual(new Set(back.map(({ name, data }) => `${name} ${data}`)), new Set(records.keys()));
        assert.equal(namesText(zone({ domain }), back), text);
      },
    ),
  );
});

test('any text: only what has nothing that dnsmasq could take for more is a name, an address or a server', () => {
  const nasty = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('a', 'b', '.', '\n', ' ', '#', ',', '=', '/', '*', '1', ':', '-') }),
  );
  fc.assert(
    fc.property(nasty, (text) => {
      if (isHostName(text)) assert.match(text, /^[a-z0-9_.-]+$/);
      const upstream = parseUpstream(text);
      if (upstream.ok) assert.match(upstream.value, /^[0-9a-f.:]+(#\d+)?$/);
      if (checkRecord(record('a', text), null) === null) assert.match(text, /^[0-9a-f.:]+$/);
      if (checkZone(zone({ link: text })) === null) assert.match(text, /^[a-zA-Z0-9_=+.-]{1,15}$/);
      if (checkZone(zone({ name: text })) === null) assert.match(text, /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/);
    }),
    { numRuns: 2000 },
  );
});
