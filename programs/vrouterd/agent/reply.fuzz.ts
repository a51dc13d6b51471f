/** Any bytes as a controller's answer: a poll's reply is judged and taken over or refused, and nothing but problems is thrown. */
import { createHash } from 'node:crypto';
import { discoverReply, pollReply, renewReply } from '@vrouter/api/agent/agent.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { IntentKey } from '@vrouter/intent/model/intents.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import { readReply } from './client.ts';
import { ControllerState, readIntent } from './sync.ts';

export const name = 'vrouterd/controller-reply';

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const blue = { kind: 'vrf', name: 'blue' } as const;
const hash = new StateHash(sha256);
hash.add('vrf/blue' as IntentKey, blue);
const poll = {
  version: 7,
  baseVersion: null,
  hash: hash.hex(),
  ops: [
    { op: 'put', key: 'vrf/blue', intent: blue },
    { op: 'remove', key: 'peer/wg0/x' },
  ],
  confirmShrink: false,
  nextNonce: 'n',
  serverTimeUnixMs: 1,
  pollAfterMs: 0,
  heldMs: 3,
};

export const seeds: readonly Uint8Array[] = [
  poll,
  { ...poll, baseVersion: 3, ops: [{ op: 'put', key: 'vrf/__proto__', intent: { __proto__: null, kind: 'vrf' } }] },
  { error: { code: 'poll.replay', message: 'again' }, nextNonce: 'n' },
  { error: { code: 'vrouter.notFound', message: 'gone' } },
  { rootCertificate: 'x' },
  { certificateChain: ['x'] },
].map((value) => new TextEncoder().encode(JSON.stringify(value)));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  for (const status of [200, 403])
    for (const schema of [pollReply, renewReply, discoverReply])
      refused(() => readReply('https://controller.example', status, text, schema));
  refused(() => {
    const reply = readReply('https://controller.example', 200, text, pollReply);
    const state = new ControllerState(sha256, 3, [['vrf/red' as IntentKey, { kind: 'vrf', name: 'red' }]]);
    const before = state.hash();
    const outcome = state.judge(reply, false);
    if (state.hash() !== before) throw new Error('judging has changed something');
    if (outcome.kind === 'change') {
      state.accept(outcome.change);
      if (state.version > 0 && state.hash() !== reply.hash) throw new Error('what was accepted has another hash');
    }
    for (const op of reply.ops) if (op.op === 'put') readIntent(op.key, op.intent);
  });
}

function refused(work: () => void): void {
  try {
    work();
  } catch (thrown) {
    if (!(thrown instanceof ProblemError)) throw thrown;
  }
}
