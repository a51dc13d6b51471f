import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Admission, PollSessions } from './sessions.ts';

/** Sessions with counted nonces, and a gateway that sends to them. */
function world() {
  let nonces = 0;
  const sessions = new PollSessions<string>(() => `n${++nonces}`);
  const send = (
    seq: number,
    nonce: string | null,
    options: { digest?: string; bootId?: string; hold?: boolean } = {},
  ) => {
    const { digest = `d${seq}`, bootId = 'boot', hold = false } = options;
    const admission: Admission<string> = sessions.admit({ bootId, seq, nonce, digest });
    if (admission.kind !== 'fresh')
      return { ...admission, next: admission.kind === 'refused' ? admission.nextNonce : '' };
    admission.boot.reply = `reply ${seq}`;
    admission.boot.answered = !hold;
    return { ...admission, next: admission.boot.nonce };
  };
  return send;
}

test('polls in order are fresh', () => {
  const send = world();
  let nonce: string | null = null;
  for (let seq = 1; seq < 5; seq++) {
    const poll = send(seq, nonce);
    assert.equal(poll.kind, 'fresh');
    nonce = poll.next;
  }
});

test('the same again is a retry with the same answer', () => {
  const send = world();
  const first = send(1, null);
  const retry = send(1, null);
  assert.ok(retry.kind === 'retry' && retry.reply === 'reply 1');
  const second = send(2, first.next);
  assert.equal(second.kind, 'fresh');
  assert.ok(send(2, first.next).kind === 'retry');
  assert.equal(send(1, null).kind, 'refused', 'but not the one before the last');
});

for (const [name, seq, nonce, digest] of [
  ['the same seq with another body', 2, 'n2', 'other'],
  ['an older seq', 1, 'n3', 'd1'],
  ['a nonce that was never given', 3, 'made up', 'd3'],
  ['no nonce', 3, null, 'd3'],
  ['the nonce before, once answered', 3, 'n2', 'd3'],
] as const)
  test(`refused: ${name}`, () => {
    const send = world();
    const first = send(1, null);
    send(2, first.next);
    const refused = send(seq, nonce, { digest });
    assert.equal(refused.kind, 'refused');
    assert.equal(send(4, refused.next).kind, 'fresh', 'and the fresh nonce is good');
  });

test('after a refusal a poll without a nonce is good, once', () => {
  const send = world();
  const first = send(1, null);
  assert.equal(send(2, 'made up').kind, 'refused');
  assert.equal(send(3, null).kind, 'fresh');
  assert.equal(send(4, null).kind, 'refused');
  assert.equal(send(5, first.next).kind, 'refused');
});

test('an unknown boot with a nonce is refused and goes on with the fresh one', () => {
  const send = world();
  const refused = send(41, 'from before the restart');
  assert.equal(refused.kind, 'refused');
  assert.equal(send(42, refused.next).kind, 'fresh');
});

test('a gateway may ask anew while it is held', () => {
  const send = world();
  const first = send(1, null);
  send(2, first.next, { hold: true });
  const newer = send(3, first.next);
  assert.ok(newer.kind === 'fresh' && newer.superseded === 'reply 2');
});

test('two boots are remembered, not more', () => {
  const send = world();
  send(1, null, { bootId: 'a' });
  send(1, null, { bootId: 'b' });
  assert.equal(send(1, null, { bootId: 'a' }).kind, 'retry');
  send(1, null, { bootId: 'c' });
  assert.equal(send(1, null, { bootId: 'b' }).kind, 'retry');
  assert.equal(send(2, 'n1', { bootId: 'a' }).kind, 'refused');
});
