import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, it } from 'node:test';
import { type Endpoint, makeEndpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parseIp } from '@vrouter/core/ip.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { DatagramSocket } from '@vrouter/engine/ports/datagram.ts';
import { openUdp, type UdpBackend, udpBackend } from './open.ts';
import type { UdpSocket } from './shape.ts';
import { Inbox, makeRows, pattern, rowsOf } from './testing.ts';

const backends = (['recvmmsg', 'dgram'] as const).filter((name) => name === 'dgram' || udpBackend() === name);

/** False, or why the tests over IPv6 cannot run. */
const noIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === '::1'))
  ? false
  : 'this machine has no ::1';

function endpoint(address: string, port: number): Endpoint {
  const parsed = parseIp(address);
  assert.ok(parsed.ok);
  return makeEndpoint(parsed.value, port);
}

async function pair(
  [sending, receiving]: readonly [UdpBackend, UdpBackend],
  address: string,
  work: (from: UdpSocket, to: UdpSocket, there: Endpoint) => Promise<void>,
): Promise<void> {
  const from = await openUdp({ address, port: 0 }, sending);
  const to = await openUdp({ address, port: 0 }, receiving);
  try {
    await work(from, to, endpoint(address, to.localPort));
  } finally {
    await from.close();
    await to.close();
  }
}

async function refusal(work: Promise<unknown>): Promise<ProblemError> {
  const thrown = await work.then(
    () => assert.fail('it was accepted'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof ProblemError, String(thrown));
  return thrown;
}

it('has recvmmsg within reach on Linux, so the fast path is what the other tests run', () => {
  if (process.platform === 'linux') assert.equal(udpBackend(), 'recvmmsg');
});

for (const sending of backends)
  for (const receiving of backends)
    for (const address of ['127.0.0.1', '::1']) {
      describe(`from ${sending} to ${receiving} over ${address}`, { skip: address === '::1' && noIpv6 }, () => {
        const ends = [sending, receiving] as const;

        it('carries a thousand datagrams in order, and says where from', () =>
          pair(ends, address, async (from, to, there) => {
            const inbox = new Inbox(to);
            const payloads = Array.from({ length: 1000 }, (_, i) => pattern(100 + (i % 3), i));
            for (let i = 0; i < 1000; i += 100) {
              const rows = rowsOf(payloads.slice(i, i + 100), there);
              assert.equal(from.send(rows), 100);
              // The bytes are ours again.
              rows.region[0]!.bytes.fill(0);
              await inbox.until(i + 100);
            }
            assert.deepEqual(
              inbox.arrivals.map((arrival) => arrival.bytes),
              payloads,
            );
            const source = inbox.arrivals[0]!.from;
            assert.equal(source.text, endpoint(address, from.localPort).text);
            assert.ok(inbox.arrivals.every((arrival) => arrival.from === source));
            assert.equal(from.counters.sent, 1000);
            assert.equal(to.counters.received, 1000);
          }));

        it('carries every size', () =>
          pair(ends, address, async (from, to, there) => {
            const inbox = new Inbox(to);
            const sizes = [...Array.from({ length: 1501 }, (_, i) => i), 9000, 9000, 9000, 8000, 65_507];
            const payloads = sizes.map((size) => pattern(size, size));
            for (let i = 0; i < payloads.length; i += 50) {
              const batch = payloads.slice(i, i + 50);
              assert.equal(from.send(rowsOf(batch, there)), batch.length);
              await inbox.until(i + batch.length);
            }
            for (const [i, arrival] of inbox.arrivals.entries()) assert.deepEqual(arrival.bytes, payloads[i]);
          }));

        // Rows end to end go to the kernel as one piece of memory, others one by one.
        for (const [how, gap] of [
          ['apart', () => 13],
          ['end to end', () => 0],
          ['now and then end to end', (row: number) => (row % 3 === 0 ? 16 : 0)],
        ] as const)
          it(`keeps the borders of equal datagrams that lie ${how}, whatever was bundled on the way`, () =>
            pair([sending, receiving], address, async (from, to, there) => {
              const inbox = new Inbox(to);
              // Runs longer than one message can be, a shorter last one, a longer one behind it, and one on its own.
              const sizes = [...new Array<number>(100).fill(1452), 700, 1452, 1452, 32, 0, 1452, 60];
              const payloads = sizes.map((size, i) => pattern(size, i));
              assert.equal(from.send(rowsOf(payloads, there, gap)), sizes.length);
              await inbox.until(sizes.length);
              assert.deepEqual(
                inbox.arrivals.map((arrival) => arrival.bytes),
                payloads,
              );
              if (sending === 'recvmmsg' && receiving === 'recvmmsg') assert.ok(to.counters.coalesced >= 3);
            }));
      });
    }

for (const backend of backends) {
  describe(`UDP by ${backend}`, () => {
    const both = [backend, backend] as const;

    it('has the shape that the engine asks for, and a port', async () => {
      const socket = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      const asked: DatagramSocket = socket;
      assert.ok(asked.localPort > 0);
      assert.equal(asked.receive(makeRows(4)), 0);
      await socket.close();
    });

    it('leaves spare bytes round each datagram that was not coalesced', () =>
      pair(both, '127.0.0.1', async (from, to, there) => {
        const rows = makeRows(100);
        for (const size of [1, 1500, 65_507, 900]) from.send(rowsOf([pattern(size, size)], there));
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.equal(to.receive(rows), 4);
        const spans = Array.from({ length: 4 }, (_, i) => {
          const region = rows.region[i]!;
          const start = rows.offset[i]! - 64;
          const end = rows.offset[i]! + rows.length[i]! + 64;
          assert.ok(start >= 0 && end <= region.bytes.length);
          assert.equal(region.view.buffer, region.bytes.buffer);
          return { region, start, end };
        });
        // Writing into the spare bytes of one harms no other.
        for (const { region, start, end } of spans) {
          region.bytes.fill(0xee, start, start + 64);
          region.bytes.fill(0xee, end - 64, end);
        }
        for (const [i, size] of [1, 1500, 65_507, 900].entries()) {
          const at = rows.offset[i]!;
          assert.deepEqual(rows.region[i]!.bytes.slice(at, at + size), pattern(size, size));
        }
      }));

    it('tells senders apart and gives each the same endpoint every time', async () => {
      const to = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      const senders = await Promise.all(
        Array.from({ length: 20 }, () => openUdp({ address: '127.0.0.1', port: 0 }, backend)),
      );
      const inbox = new Inbox(to);
      const seen = new Map<number, Endpoint>();
      for (let round = 1; round <= 3; round++) {
        for (const [i, sender] of senders.entries())
          sender.send(rowsOf([Uint8Array.of(i)], endpoint('127.0.0.1', to.localPort)));
        await inbox.until(round * 20);
      }
      for (const { bytes, from } of inbox.arrivals) {
        assert.equal(from.port, senders[bytes[0]!]!.localPort);
        assert.equal(from, seen.get(bytes[0]!) ?? from);
        seen.set(bytes[0]!, from);
      }
      assert.equal(seen.size, 20);
      for (const socket of [to, ...senders]) await socket.close();
    });

    it('takes IPv4 and IPv6 on "::" and answers both', { skip: noIpv6 }, async () => {
      const hub = await openUdp({ address: '::', port: 0 }, backend);
      const four = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      const six = await openUdp({ address: '::1', port: 0 }, backend);
      const [atHub, atFour, atSix] = [new Inbox(hub), new Inbox(four), new Inbox(six)];
      four.send(rowsOf([pattern(5, 4)], endpoint('127.0.0.1', hub.localPort)));
      await atHub.until(1);
      six.send(rowsOf([pattern(5, 6)], endpoint('::1', hub.localPort)));
      await atHub.until(2);
      const [first, second] = atHub.arrivals;
      assert.equal(first!.from.text, `127.0.0.1:${four.localPort}`);
      assert.equal(second!.from.text, `[::1]:${six.localPort}`);
      // Runs of equal length, to see that bundling works through mapped addresses too.
      const answers = rowsOf(new Array(8).fill(pattern(200, 1)), first!.from);
      for (let i = 4; i < 8; i++) answers.endpoint[i] = second!.from;
      assert.equal(hub.send(answers), 8);
      await atFour.until(4);
      await atSix.until(4);
      const parsed = parseEndpoint(`127.0.0.1:${four.localPort}`);
      assert.ok(parsed.ok);
      hub.send(rowsOf([pattern(9, 9)], parsed.value));
      await atFour.until(5);
      for (const socket of [hub, four, six]) await socket.close();
    });

    it('counts what it cannot send and sends the rest', () =>
      pair(both, '127.0.0.1', async (from, to, there) => {
        const inbox = new Inbox(to);
        const rows = rowsOf(
          [1, 2, 3, 4, 70_000, 5].map((size) => pattern(size, size)),
          there,
        );
        rows.endpoint[1] = endpoint('::1', to.localPort);
        rows.endpoint[2] = endpoint('127.0.0.1', 0);
        const taken = from.send(rows);
        await inbox.until(3);
        assert.deepEqual(
          inbox.arrivals.map((arrival) => arrival.bytes.length),
          [1, 4, 5],
        );
        assert.equal(taken, 3);
        assert.equal(from.counters.sent, 3);
        assert.deepEqual([from.counters.sendRefused, from.counters.sendFull, from.refused], [3, 0, 3]);
      }));

    it('throws when a row points outside of its region', () =>
      pair(both, '127.0.0.1', async (from, _to, there) => {
        const rows = rowsOf([pattern(10, 1)], there);
        rows.length[0] = 1000;
        assert.throws(() => from.send(rows), RangeError);
      }));

    it('survives that nobody listens', () =>
      pair(both, '127.0.0.1', async (from, to, there) => {
        await to.close();
        for (let i = 0; i < 10; i++) assert.equal(from.send(rowsOf([pattern(20, i)], there)), 1);
        assert.equal(from.receive(makeRows(4)), 0);
      }));

    it('releases the port, ends the callbacks and bears a second close', async () => {
      const socket = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      const inbox = new Inbox(socket);
      assert.throws(() => socket.onReadable(() => {}), /callback/);
      const there = endpoint('127.0.0.1', socket.localPort);
      const peer = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      peer.send(rowsOf([pattern(1, 1)], there));
      await inbox.until(1);
      peer.send(rowsOf([pattern(1, 2)], there));
      await socket.close();
      await socket.close();
      const callbacks = inbox.callbacks;
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(inbox.callbacks, callbacks);
      assert.equal(socket.send(rowsOf([pattern(1, 1)], there)), 0);
      assert.equal(socket.receive(makeRows(4)), 0);
      const again = await openUdp({ address: '127.0.0.1', port: there.port }, backend);
      assert.equal(again.localPort, there.port);
      await again.close();
      await peer.close();
    });

    it('says which port is in use', async () => {
      const first = await openUdp({ address: '127.0.0.1', port: 0 }, backend);
      const thrown = await refusal(openUdp({ address: '127.0.0.1', port: first.localPort }, backend));
      assert.equal(thrown.problem.code, 'port.inUse');
      assert.match(thrown.problem.message, new RegExp(`\\b${first.localPort}\\b`));
      await first.close();
    });

    it('refuses addresses that are none, or not ours, and ports that are none', async () => {
      const none = await refusal(openUdp({ address: 'localhost', port: 0 }, backend));
      assert.equal(none.problem.code, 'address.invalid');
      const foreign = await refusal(openUdp({ address: '192.0.2.1', port: 0 }, backend));
      assert.equal(foreign.problem.code, 'address.invalid');
      assert.match(foreign.problem.message, /192\.0\.2\.1/);
      assert.equal(
        (await refusal(openUdp({ address: '127.0.0.1', port: 65_536 }, backend))).problem.code,
        'input.invalid',
      );
    });
  });
}
