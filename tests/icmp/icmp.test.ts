/** What kernels make of our errors, our pieces and our MSS: ping, traceroute and TCP of two wireguard-go clients through our hub. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { needs } from '../world/needs.ts';
import { IcmpWorld, until } from './world.ts';

const TCP_BYTES = 2_000_000;

const server = `require('node:net').createServer((socket) => {
  let bytes = 0;
  socket.on('data', (chunk) => { bytes += chunk.length; });
  socket.on('end', () => socket.end(Buffer.alloc(bytes)));
}).listen(8080, '::', () => console.log('listening'));`;
const client = (host: string): string => `
  const socket = require('node:net').connect(8080, '${host}', () => socket.end(Buffer.alloc(${TCP_BYTES})));
  let bytes = 0;
  socket.on('data', (chunk) => { bytes += chunk.length; });
  socket.on('end', () => { console.log('back', bytes); process.exit(bytes === ${TCP_BYTES} ? 0 : 1); });
  socket.on('error', (error) => { console.log(error.message); process.exit(1); });
  setTimeout(() => { console.log('only', bytes); process.exit(2); }, 25000);`;

describe('icmp', { skip: needs('root', 'netns', 'tun', 'ip', 'wireguard-go', 'ping', 'traceroute') }, () => {
  const world = new IcmpWorld();
  before(() => world.start(), { timeout: 60_000 });
  after(() => world.stop());

  test('a traceroute sees the hub and then the other peer, of both families', () => {
    const four = world.run('a', 'traceroute', '-n', '-q', '1', '-w', '3', '-m', '4', '10.78.1.2');
    assert.match(four.output, /^ 1 {2}10\.78\.0\.1 .*\n 2 {2}10\.78\.1\.2 /m, four.output);
    const six = world.run('a', 'traceroute', '-6', '-n', '-q', '1', '-w', '3', '-m', '4', 'fd78:1::2');
    assert.match(six.output, /^ 1 {2}fd78::1 .*\n 2 {2}fd78:1::2 /m, six.output);
    const expired = world.run('a', 'ping', '-n', '-c', '1', '-W', '3', '-t', '1', '10.78.1.2');
    assert.match(expired.output, /From 10\.78\.0\.1 .*Time to live exceeded/, expired.output);
  });

  test('who asks for what is not there hears so', () => {
    for (const [address, said] of [
      ['10.79.0.1', /From 10\.78\.0\.1 .*Destination Net Unreachable/],
      ['10.78.1.77', /From 10\.78\.0\.1 .*Destination Host Unreachable/],
      ['fd78:1::77', /From fd78::1 .*Address unreachable/],
    ] as const) {
      if (address.startsWith('10.79')) world.ip('a', 'route', 'add', '10.79.0.0/16', 'via', '10.78.0.1');
      const { output } = world.run('a', 'ping', '-n', '-c', '1', '-W', '3', address);
      assert.match(output, said, output);
    }
  });

  test('TCP through the smaller link never meets its MTU', async () => {
    const listening = world.spawn('b', process.execPath, '-e', server);
    await once(listening.stdout!, 'data');
    for (const host of ['10.78.1.2', 'fd78:1::2']) {
      const earlier = await world.engine.counters();
      const { code, output } = world.run('a', process.execPath, '-e', client(host));
      assert.equal(code, 0, output);
      const counters = await world.engine.counters();
      assert.ok(counters.mssClamped >= earlier.mssClamped + 2, 'SYN and SYN-ACK');
      assert.equal(counters.drops.mtuExceeded ?? 0, 0);
      assert.equal(counters.fragmented, 0);
    }
  });

  test('the kernel of a client learns the MTU of the smaller link, of both families', () => {
    const four = world.run('a', 'ping', '-n', '-c', '2', '-W', '3', '-M', 'do', '-s', '1392', '10.78.1.2');
    assert.match(four.output, /mtu ?= ?1300/, four.output);
    assert.match(world.run('a', 'ip', 'route', 'get', '10.78.1.2').output, /mtu 1300/);
    const six = world.run('a', 'ping', '-n', '-c', '2', '-W', '3', '-M', 'do', '-s', '1372', 'fd78:1::2');
    assert.match(six.output, /mtu ?= ?1300/, six.output);
    assert.match(world.run('a', 'ip', '-6', 'route', 'get', 'fd78:1::2').output, /mtu 1300/);
    const fits = world.run('a', 'ping', '-n', '-c', '1', '-W', '3', '-M', 'do', '-s', '1272', '10.78.1.2');
    assert.equal(fits.code, 0, fits.output);
  });

  test('large pings come back: in pieces to the hub, cut again on the way to the other peer', async () => {
    // The cable behind the router loses outer packets until the hub's kernel has learnt its MTU, so each may try more than once.
    const large = ['-n', '-c', '5', '-i', '0.3', '-W', '3', '-M', 'dont', '-s'];
    for (const address of ['10.78.0.1', 'fd78::1', '10.78.1.2', 'fd78:1::2']) {
      const { code, output } = world.run('a', 'ping', ...large, '8000', address);
      assert.equal(code, 0, output);
    }
    world.ip('a', 'route', 'flush', 'cache');
    const cut = world.run('a', 'ping', ...large, '1392', '10.78.1.2');
    assert.equal(cut.code, 0, cut.output);
    const { fragmented, reassembled } = await world.engine.counters();
    assert.ok(fragmented >= 4 && reassembled >= 4, `${fragmented} cut, ${reassembled} put together`);
  });

  test('the outer path MTU to each peer is told, once the kernel has learnt it', async () => {
    const pathMtu = async (link: string): Promise<number | null> => {
      const rows = await world.engine.dump();
      const peer = rows.find((row) => row.is === 'peer' && row.link === link);
      assert.ok(peer?.is === 'peer');
      return peer.pathMtu;
    };
    // Answers of 1420 bytes are 1480 outside, and the cable behind the router takes 1400.
    await until('the path MTU to a', async () => {
      world.run('a', 'ping', '-n', '-c', '1', '-W', '1', '-M', 'dont', '-s', '1392', '10.78.0.1');
      return (await pathMtu('wg0')) === 1400;
    });
    assert.equal(await pathMtu('wg1'), 1500);
  });
});
