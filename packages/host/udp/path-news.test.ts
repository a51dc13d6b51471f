import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { udpBackend } from './open.ts';
import { PathMtuProbe } from './path-mtu.ts';
import { icmpColumn, PathNews } from './path-news.ts';
import { loadSocketCalls } from './syscalls.ts';

const snmp = 'Ip: Forwarding\nIp: 1\nIcmp: InMsgs InErrors InDestUnreachs\nIcmp: 7 0 5\nIcmpMsg: InType3\nIcmpMsg: 5\n';

it('finds a column by its name', () => {
  assert.equal(icmpColumn(snmp, 'InDestUnreachs'), 5);
  assert.equal(icmpColumn(snmp, 'InMsgs'), 7);
});

it('what is not there, or no number, is null', () => {
  assert.equal(icmpColumn(snmp, 'OutMsgs'), null);
  assert.equal(icmpColumn('', 'InMsgs'), null);
  assert.equal(icmpColumn('Icmp: InMsgs\n', 'InMsgs'), null);
  assert.equal(icmpColumn('Icmp: InMsgs\nIcmp: x\n', 'InMsgs'), null);
});

it('looks once a second at most', () => {
  const news = new PathNews();
  const first = news.at(0);
  for (let ms = 1; ms < 1000; ms += 100) assert.equal(news.at(ms), first);
});

it('asks the kernel again after a minute, or after two seconds when a path has refused something', {
  skip: udpBackend() === 'recvmmsg' ? false : 'only the system calls tell',
}, (t) => {
  let nowMs = 1000;
  t.mock.method(performance, 'now', () => nowMs);
  // What other programs on this machine hear is no part of this.
  t.mock.method(PathNews.prototype, 'at', () => 1);
  const probe = new PathMtuProbe(loadSocketCalls()!);
  const here = makeEndpoint(Uint8Array.of(127, 0, 0, 1), 9);
  const timeline: readonly (readonly [ms: number, refusals: number, asked: number])[] = [
    [1000, 0, 1],
    [60_000, 0, 1],
    [61_000, 0, 2],
    [62_000, 1, 2],
    [63_000, 1, 3],
    [122_000, 1, 3],
    [123_000, 1, 4],
  ];
  for (const [ms, refusals, asked] of timeline) {
    nowMs = ms;
    const mtu = probe.ask(here, 0, refusals);
    assert.ok(mtu !== null && mtu >= 1280);
    assert.equal(probe.asked, asked, `at ${ms}`);
  }
  // Another endpoint is another question.
  probe.ask(makeEndpoint(Uint8Array.of(127, 0, 0, 1), 10), 0, 1);
  assert.equal(probe.asked, 5);
  probe.close();
});
