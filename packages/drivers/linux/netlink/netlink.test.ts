import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { addAddress, removeAddress } from './address.ts';
import { messagesOf, verdictOf } from './answers.ts';
import { Conversation } from './conversation.ts';
import { askLinks, changeLink, parseLink } from './link.ts';
import { parseForwardingNews } from './netconf.ts';
import { ask, type NetlinkSocket, Requests } from './requests.ts';
import { addRoute, removeRoute } from './route.ts';
import { changeDevice, parseDevice } from './wireguard.ts';

function prefix(text: string) {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

// Written down by hand from rtnetlink(7) and the kernel's headers; tests/host-interface.test.ts has a kernel read them.
const rows: readonly (readonly [string, Uint8Array, string])[] = [
  [
    'a link goes up with an MTU',
    changeLink(7, { mtu: 1420, up: true }),
    '280000001000010000000000000000000000000007000000010000000100000008000400 8c050000',
  ],
  [
    'an IPv4 address',
    addAddress(7, prefix('10.99.0.1/24')),
    '280000001400010600000000000000000218000007000000 080002000a630001 080001000a630001',
  ],
  [
    'an IPv6 address, without asking who has it',
    addAddress(7, prefix('fd99::1/64')),
    '40000000140001060000000000000000 0a400200 07000000 14000200fd990000000000000000000000000001 14000100fd990000000000000000000000000001',
  ],
  [
    'an IPv4 address goes',
    removeAddress(7, prefix('10.99.0.1/24')),
    '280000001500010000000000000000000218000007000000 080002000a630001 080001000a630001',
  ],
  [
    'an IPv4 route',
    addRoute(7, prefix('10.77.0.0/24')),
    '2c000000180001060000000000000000 02180000fe76fd0100000000 080001000a4d0000 0800040007000000',
  ],
  [
    'an IPv6 route goes',
    removeRoute(7, prefix('fd77::/64')),
    '38000000190001000000000000000000 0a400000fe76000100000000 14000100fd770000000000000000000000000000 0800040007000000',
  ],
  [
    'a default route has no destination',
    addRoute(7, prefix('0.0.0.0/0')),
    '24000000180001060000000000000000 02000000fe76fd0100000000 0800040007000000',
  ],
];

for (const [title, bytes, hex] of rows)
  test(title, () => {
    assert.equal(bytes.toHex(), hex.replaceAll(' ', ''));
    assert.equal(new DataView(bytes.buffer).getUint32(0, true), bytes.length);
  });

/** An answer to the request of that number, with the kernel's words. */
function answer(sequence: number, error: number, text = ''): Uint8Array {
  const bytes = new Uint8Array(36 + (text === '' ? 0 : (4 + text.length + 1 + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, text === '' ? 0x100 : 0x300, true);
  view.setUint32(8, sequence, true);
  view.setInt32(16, error, true);
  view.setUint32(20, 36, true);
  if (text === '') return bytes;
  view.setUint16(36, 4 + text.length + 1, true);
  view.setUint16(38, 1, true);
  bytes.set(new TextEncoder().encode(text), 40);
  return bytes;
}

/** A kernel that answers each datagram with what `say` makes of its messages: number, and whether it wants an answer. */
function kernel(say: (sequence: number, wanted: boolean, index: number) => Uint8Array | null): NetlinkSocket {
  const waiting: Uint8Array[] = [];
  let index = 0;
  return {
    send: (bytes) => {
      for (const { sequence, flags } of messagesOf(bytes)) {
        const said = say(sequence, (flags & 4) !== 0, index++);
        if (said !== null) waiting.push(said);
      }
    },
    receive: () => waiting.shift() ?? null,
  };
}

const request = (): Uint8Array => changeLink(7, { up: true });

test('verdicts: done, refused with words, and what is none', () => {
  const verdict = (bytes: Uint8Array) => [...messagesOf(bytes)].map(verdictOf);
  assert.deepEqual(verdict(answer(1, 0)), [null]);
  assert.deepEqual(verdict(answer(1, -17)), [{ errno: 17, text: '' }]);
  assert.deepEqual(verdict(answer(1, -22, 'Invalid VLAN id')), [{ errno: 22, text: 'Invalid VLAN id' }]);
  assert.deepEqual(verdict(answer(1, 5)), [undefined]);
  assert.deepEqual(verdict(answer(1, 0).subarray(0, 35)), [], 'it says that it is longer');
});

test('of many requests the last asks for an answer, and failures find their own', async () => {
  const asked: boolean[] = [];
  const conversation = new Conversation(
    kernel((sequence, wanted, index) => {
      asked.push(wanted);
      if (index % 400 === 7) return answer(sequence, -17);
      return wanted ? answer(sequence, 0) : null;
    }),
    async () => {},
  );
  const verdicts = await conversation.change(Array.from({ length: 1203 }, request));
  const failed = verdicts.flatMap((verdict, index) => (verdict === null ? [] : [index]));
  assert.deepEqual([verdicts.length, failed], [1203, [7, 407, 807]]);
  const datagrams = asked.filter(Boolean).length;
  assert.equal(datagrams, 3, 'at most 500 in one datagram');
});

test('a kernel that says nothing is a problem and no success', async () => {
  const conversation = new Conversation(
    kernel(() => null),
    async () => {},
  );
  await assert.rejects(conversation.change([request()]), /does not answer/);
  await assert.rejects(conversation.dump(askLinks(), 'links', parseLink), /does not answer/);
});

test('what changed while it was read is read again, and given up in the end', async () => {
  let dumps = 0;
  const interrupted = (times: number) =>
    new Conversation(
      kernel((sequence) => {
        const done = answer(sequence, 0);
        done[4] = 3;
        if (++dumps <= times) done[6] = 0x10;
        return done;
      }),
      async () => {},
    );
  assert.deepEqual(await interrupted(2).dump(askLinks(), 'links', parseLink), []);
  assert.equal(dumps, 3);
  await assert.rejects(interrupted(100).dump(askLinks(), 'links', parseLink), /changes faster/);
});

test('what the kernel refuses is a problem with a code', () => {
  const says = (error: number) => new Requests(kernel((sequence) => answer(sequence, error)));
  const codes = [0, -1, -17, -19, -13].map((error) => ask(says(error), request(), 'x')?.code ?? null);
  assert.deepEqual(codes, [null, 'port.denied', 'object.exists', 'plane.failed', 'plane.failed']);
  assert.equal(ask(says(-3), request(), 'x', [3]), null);
  const words = new Requests(kernel((sequence) => answer(sequence, -22, 'Invalid VLAN id')));
  assert.equal(ask(words, request(), 'eth0.9')?.message, 'eth0.9: the kernel says EINVAL (Invalid VLAN id)');
});

test('a message that outgrows its room is whole', () => {
  const prefixes = Array.from({ length: 100 }, (_, i) => prefix(i % 2 === 0 ? `10.0.${i}.0/24` : `fd00:${i}::/32`));
  const peer = {
    publicKey: new Uint8Array(32).fill(7),
    endpoint: { address: new Uint8Array(4), port: 9 },
    keepalive: 5,
  };
  const [bytes] = changeDevice(29, 3, { peers: [{ ...peer, allowedIps: prefixes }] });
  // The answer to a question has the same attributes as the request to change.
  bytes![16] = 0;
  const [message] = messagesOf(bytes!);
  const device = parseDevice(message!, 29);
  assert.deepEqual(device!.peers[0]!.allowedIps, prefixes);
  assert.deepEqual([device!.peers[0]!.keepalive, device!.peers[0]!.endpoint], [5, peer.endpoint]);
});

// linux/netconf.h: the family, then NETCONFA_IFINDEX and NETCONFA_FORWARDING.
const netconf = (family: string, index: string, forwarding = '08000200 00000000'): Uint8Array =>
  Buffer.from(
    `24000000 50000000 00000000 00000000 ${family}000000 08000100 ${index} ${forwarding}`.replaceAll(' ', ''),
    'hex',
  );

test('news of forwarding are read for the whole host, of both families, and for nothing else', () => {
  const read = (bytes: Uint8Array): (string | null)[] => [...messagesOf(bytes)].map(parseForwardingNews);
  assert.deepEqual(read(netconf('02', 'ffffffff')), ['net.ipv4.ip_forward']);
  assert.deepEqual(read(netconf('0a', 'ffffffff')), ['net.ipv6.conf.all.forwarding']);
  assert.deepEqual(read(netconf('02', '03000000')), [null], 'of one link');
  assert.deepEqual(read(netconf('02', 'ffffffff', '08000300 00000000')), [null], 'of another switch (rp_filter)');
  assert.deepEqual(read(netconf('1c', 'ffffffff')), [null], 'of another family (MPLS)');
});
