import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockSteps, stepText } from './clock-steps.ts';

test('only what goes back by a second and more is a step, told once', () => {
  let [unixMs, monotonicMs] = [1_000_000, 0];
  const steps = new ClockSteps(
    () => unixMs,
    () => monotonicMs,
  );
  const after = (wallMs: number, passedMs: number): number => {
    unixMs += wallMs;
    monotonicMs += passedMs;
    return steps.look();
  };
  assert.equal(after(5000, 5000), 0);
  assert.equal(after(4600, 5000), 0, 'slewed');
  assert.equal(after(3_605_000, 5000), 0, 'ahead, as after a sleep');
  assert.equal(after(-3_595_000, 5000), 3_600_000);
  assert.equal(after(5000, 5000), 0);
});

test('those who have shaken hands since are named, and until when', () => {
  const now = Date.parse('2026-01-01T10:00:00Z');
  const peers = [
    { name: 'carol', lastHandshakeUnixMs: now + 3_000_000 },
    { name: 'bob', lastHandshakeUnixMs: now + 3_540_000 },
    { name: 'old', lastHandshakeUnixMs: now - 5000 },
    { name: 'never', lastHandshakeUnixMs: null },
  ];
  assert.match(
    stepText(3_600_000, peers, now),
    /^this host's clock went back by 60 min; the engine that runs goes on, .* started before 2026-01-01T10:59:00\.000Z will be refused by bob, carol, until/,
  );
  assert.match(stepText(3_600_000, peers.slice(2), now), /no peer has shaken hands since, so none will refuse us$/);
  const many = Array.from({ length: 50 }, (_, n) => ({ name: `p${n + 10}`, lastHandshakeUnixMs: now + 1 }));
  assert.match(stepText(3_600_000, many, now), /p10, p11, .*p29 and 30 more, until/);
});
