import assert from 'node:assert/strict';
import test from 'node:test';
import { traceEvent } from '@vrouter/api/gateway/gateway.ts';
import { runCli } from '../cli.ts';
import type { World } from '../session.ts';
import { queryOf } from '../trace/filter.ts';
import { traceText } from '../trace/text.ts';

test('bytes are kept from a terminal, with advice', async () => {
  const notes: string[] = [];
  const world: World = {
    env: {},
    cwd: '/',
    clone: '/',
    version: '0',
    nowUnixMs: () => 0,
    out: () => assert.fail('nothing is printed'),
    outBytes: () => assert.fail('nothing is written'),
    outIsTerminal: true,
    inIsTerminal: false,
    readIn: () => assert.fail('nothing is read'),
    ask: () => assert.fail('nothing is asked'),
    note: (text) => void notes.push(text),
    browse: () => undefined,
    untilInterrupted: () => new AbortController().signal,
  };
  for (const args of [['capture'], ['capture', '--write', '-']]) assert.equal(await runCli(args, world), 2);
  assert.match(notes[0]!, /capture \| tshark -r -.*\(usage\)/);
});

test('options become a query', () => {
  assert.equal(queryOf({}), '');
  assert.equal(
    queryOf({
      link: 'wg0',
      peer: 'a b',
      src: '10.0.0.0/8',
      dst: '::/0',
      proto: 'udp',
      port: 53,
      drops: true,
      count: 2,
    }),
    '?link=wg0&peer=a+b&source=10.0.0.0%2F8&destination=%3A%3A%2F0&protocol=udp&port=53&drops=true&count=2',
  );
});

const event = traceEvent.parse({
  unixMs: 1_700_000_000_123,
  link: 'wg0',
  peer: 'AAAA',
  peerName: 'al\u001bice',
  packet: {
    source: 'fd77::2',
    destination: 'fd77::3',
    protocol: 'udp',
    sourcePort: 4000,
    destinationPort: 53,
    ttl: 1,
    length: 51,
  },
  steps: [
    { node: 'wireguard-input', facts: { link: 'wg0', peer: 'AAAA', endpoint: '192.0.2.1:5' } },
    { node: 'ip-lookup', facts: { vrf: 'default', prefix: 'fd77::/64', to: 'link', link: 'wg0', nextHop: 'fe80::1' } },
    { node: 'ip-rewrite', facts: { drop: 'ttlExpired' } },
  ],
  end: 'dropped',
  drop: 'ttlExpired',
  outLink: null,
  outPeer: null,
  outPeerName: '',
  lost: 0,
});

test('a packet in words; what a server said cannot steer the terminal', () => {
  assert.equal(
    traceText(event),
    [
      '22:13:20.123  wg0 from al?ice  [fd77::2]:4000 > [fd77::3]:53  udp ttl 1, 51 bytes',
      '  wireguard-input   wg0, al?ice, at 192.0.2.1:5',
      '  ip-lookup         fd77::/64 in default -> wg0, via fe80::1',
      '  ip-rewrite        drops it: ttlExpired',
      '  => dropped: ttlExpired',
    ].join('\n'),
  );
  const sent = { ...event, packet: null, steps: [], drop: null, end: 'sent' as const, outLink: 'wg1' };
  assert.match(traceText(sent), /no packet for us\n {2}=> sent by wg1$/);
});
