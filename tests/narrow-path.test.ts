/**
 * What is lost while the kernel learns that a path is narrower than its first link: what the router refuses, and nothing else. Batches of our UDP socket
 * go from h over r to a; among them are datagrams to somebody else.
 *
 *   h --- 1500 --- r --- 1400 --- a
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { udpBackend } from '@vrouter/host/udp/open.ts';
import { inside, ip, Lab } from './wireguard-go/lab.ts';
import { needs, programPath } from './world/needs.ts';

const TURNS = 5;
const modules = new URL('../packages/', import.meta.url).href;

const hear = `
  import { openUdp } from '${modules}host/udp/open.ts';
  import { PacketBatch } from '${modules}engine/batch/packet-batch.ts';
  const socket = await openUdp({ address: '::', port: 9000 });
  const batch = new PacketBatch();
  socket.onReadable(() => {
    while (socket.receive(batch) > 0)
      for (let row = 0; row < batch.count; row++) console.log(batch.region[row].view.getUint32(batch.offset[row]));
  });
  console.log('listening');`;

/** Batches: a short datagram, one or a run of long ones, one to ourselves, a long one, a short one. Numbers by turn and place. */
const say = (there: string, size: number, run: number): string => `
  import { openUdp } from '${modules}host/udp/open.ts';
  import { makeRegion, PacketBatch } from '${modules}engine/batch/packet-batch.ts';
  import { parseEndpoint } from '${modules}core/endpoint.ts';
  const socket = await openUdp({ address: '::', port: 0 });
  const self = await openUdp({ address: '::', port: 9000 });
  const there = parseEndpoint('${there}').value;
  const here = parseEndpoint('127.0.0.1:9000').value;
  const inbox = new PacketBatch();
  let taken = 0;
  let own = 0;
  for (let turn = 0; turn < ${TURNS}; turn++) {
    const batch = new PacketBatch();
    const add = (length, to) => {
      const region = makeRegion(length);
      region.view.setUint32(0, turn * 100 + batch.count);
      batch.region[batch.count] = region;
      batch.length[batch.count] = length;
      batch.endpoint[batch.count++] = to;
    };
    add(100, there);
    for (let i = 0; i < ${run}; i++) add(${size}, there);
    add(1200, here);
    add(${size}, there);
    add(100, here);
    add(100, there);
    taken += socket.send(batch) === batch.count ? 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
    own += self.receive(inbox);
  }
  console.log(JSON.stringify({ taken, own, pathMtu: socket.pathMtu(there) }));
  await socket.close();
  await self.close();`;

describe('a path that is narrower than it looks', {
  skip: needs('root', 'netns', 'ip') || (udpBackend() === 'recvmmsg' ? false : 'only the system calls bundle'),
  timeout: 60_000,
}, () => {
  let lab: Lab;
  let h: string;
  const heard: number[] = [];

  before(async () => {
    lab = new Lab();
    const r = lab.hub;
    h = lab.island('n');
    const a = lab.island('a');
    for (const [space, n, mtu] of [
      [h, 1, 1500],
      [a, 2, 1400],
    ] as const) {
      const [near, far] = [`to${n}`, 'tor'];
      const size = ['mtu', String(mtu)];
      ip('-n', r, 'link', 'add', near, ...size, 'type', 'veth', 'peer', 'name', far, ...size, 'netns', space);
      for (const [where, link, host] of [
        [r, near, 1],
        [space, far, 2],
      ] as const) {
        ip('-n', where, 'addr', 'add', `10.97.${n}.${host}/24`, 'dev', link);
        ip('-n', where, 'addr', 'add', `fd97:${n}::${host}/64`, 'dev', link, 'nodad');
        ip('-n', where, 'link', 'set', link, 'up');
      }
      ip('-n', space, 'route', 'add', 'default', 'via', `10.97.${n}.1`);
      ip('-n', space, '-6', 'route', 'add', 'default', 'via', `fd97:${n}::1`);
    }
    const forward = 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding';
    await once(inside(r, programPath('sh')!, ['-c', forward], { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit');
    const ear = inside(a, process.execPath, ['--input-type=module', '-e', hear], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    lab.onClose(async () => {
      ear.kill('SIGKILL');
      if (ear.exitCode === null && ear.signalCode === null) await once(ear, 'exit');
    });
    await once(ear.stdout!, 'data');
    ear.stdout!.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) heard.push(Number(line));
    });
  });
  after(() => lab.close());

  for (const [family, there, size] of [
    [4, '10.97.2.2:9000', 1452],
    [6, '[fd97:2::2]:9000', 1432],
  ] as const)
    for (const run of [1, 8])
      test(`IPv${family}, ${run === 1 ? 'one by one' : 'in runs'}: the first long ones may be lost, and nothing besides`, async () => {
        ip('-n', h, 'route', 'flush', 'cache');
        ip('-n', h, '-6', 'route', 'flush', 'cache');
        heard.length = 0;
        const mouth = inside(h, process.execPath, ['--input-type=module', '-e', say(there, size, run)], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let said = '';
        mouth.stdout!.on('data', (chunk: Buffer) => {
          said += chunk.toString();
        });
        await once(mouth, 'close');
        await sleep(200);
        const { taken, own, pathMtu } = JSON.parse(said) as { taken: number; own: number; pathMtu: number };
        // Nothing is refused by our own kernel, and those to somebody else all arrive.
        assert.deepEqual({ taken, own }, { taken: TURNS, own: 2 * TURNS });
        // IPv6 has learnt in any case. In IPv4 runs may be fragmented by the router, and then nobody learns anything.
        if (family === 6) assert.equal(pathMtu, 1400);
        // Those between are to ourselves.
        const short = run + 4;
        const places = [...Array(run + 1).keys(), run + 2, short];
        for (let turn = 1; turn < TURNS; turn++)
          for (const place of places) assert.ok(heard.includes(turn * 100 + place), `turn ${turn}, place ${place}`);
        assert.ok(heard.includes(0) && heard.includes(short), 'short ones of the first turn');
        assert.ok(heard.every((number) => places.includes(number % 100)));
        assert.equal(new Set(heard).size, heard.length, 'nothing twice');
      });
});
