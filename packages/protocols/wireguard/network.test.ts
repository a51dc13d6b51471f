/** Two devices on bad networks, seeded: whatever happens, once the weather is fair they talk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { couple, endpoint, FAIR, fromA, fromB, type Host } from './net.testing.ts';

const said = (host: Host): string[] => host.delivered.map(({ bytes }) => new TextDecoder().decode(bytes.subarray(20)));

for (let seed = 1; seed <= 40; seed++) {
  test(`seed ${seed}: nothing comes twice or changed, and the storm leaves no mark`, () => {
    const dice = seededRng(seed * 7919);
    const { net, a, b, ab, ba } = couple(seed, {
      loss: (dice.uint32() % 50) / 100,
      duplicate: (dice.uint32() % 30) / 100,
      delayMs: [1, 1 + (dice.uint32() % 3000)],
    });
    const sentByA = new Set<string>();
    const sentByB = new Set<string>();
    for (let i = 0; i < 150; i++) {
      net.at(net.now + (dice.uint32() % 4000));
      const text = `packet ${i}`;
      const what = dice.uint32() % 40;
      if (what < 18) {
        a.say(fromA(text));
        sentByA.add(text);
      } else if (what < 36) {
        b.say(fromB(text));
        sentByB.add(text);
      } else if (what === 36) a.endpoint = endpoint(`192.0.2.1:${2000 + i}`);
      else if (what === 37) {
        const presharedKey = new Uint8Array(32).fill(i);
        a.device.setPeer({ publicKey: ab.publicKey, presharedKey }, a.now);
        b.device.setPeer({ publicKey: ba.publicKey, presharedKey }, b.now);
      } else if (what === 38) net.at(net.now + 200_000);
      else net.at(net.now + 20_000);
    }
    for (const [host, sent] of [
      [a, sentByB],
      [b, sentByA],
    ] as const) {
      assert.equal(new Set(said(host)).size, host.delivered.length, 'twice');
      for (const text of said(host)) assert.ok(sent.has(text), text);
    }
    net.weather = FAIR;
    net.at(net.now + 10_000);
    // a may have moved without having spoken since; its word makes b find it.
    a.say(fromA('fair'));
    net.at(net.now + 20_000);
    a.quiet();
    b.quiet();
    a.say(fromA('hello'));
    net.at(net.now + 6000);
    b.say(fromB('hello'));
    net.at(net.now + 6000);
    assert.ok(said(b).includes('hello'));
    assert.ok(said(a).includes('hello'));
    // At most three sessions a side, two directions each; none leaks.
    assert.ok(a.crypto.ciphers <= 6 && b.crypto.ciphers <= 6, `${a.crypto.ciphers} ${b.crypto.ciphers}`);
    net.at(net.now + 1_000_000);
    assert.deepEqual([a.crypto.ciphers, b.crypto.ciphers], [0, 0]);
  });
}
