/** Every state that a gateway can be in with its controller, and what is said of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Outlook, outlook } from '@vrouter/api/gateway/gateway.ts';
import { problem } from '@vrouter/core/problem.ts';
import { type OutlookFacts, outlookOf } from './outlook.ts';

const MIN = 60_000;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 29, 12);

const away = problem('controller.unreachable', 'https://c1.example:8443: ECONNREFUSED');
const usual: OutlookFacts = {
  state: 'connected',
  hasJoined: true,
  hasLostStore: false,
  why: null,
  addresses: [
    {
      url: 'https://c1.example:8443',
      source: 'join',
      state: 'working',
      isCurrent: true,
      lastAnswerUnixMs: NOW,
      lastError: null,
      lastErrorUnixMs: null,
      retryInMs: null,
    },
  ],
  lastPollUnixMs: NOW,
  stateSinceUnixMs: NOW - 9 * DAY,
  certificate: { notBeforeUnixMs: NOW - HOUR, notAfterUnixMs: NOW + 7 * HOUR },
  clockOffsetMs: 0,
  deletedUnixMs: null,
  onDeleted: 'keep',
  held: null,
  storedVersion: 12,
  nowUnixMs: NOW,
};
/** The controller was last heard so long ago, and the certificate was an hour old then. */
const silent = (ms: number): Partial<OutlookFacts> => ({
  state: 'unreachable',
  why: away,
  lastPollUnixMs: NOW - ms,
  stateSinceUnixMs: NOW - ms,
  certificate: { notBeforeUnixMs: NOW - ms - HOUR, notAfterUnixMs: NOW - ms + 7 * HOUR },
});
const refused = (code: 'certificate.required' | 'poll.identity', message: string): Partial<OutlookFacts> => ({
  ...silent(10 * MIN),
  state: 'refused',
  why: problem(code, message),
});

type Expected = Pick<Outlook, 'condition' | 'severity'> & {
  readonly sinceMs?: number | null;
  readonly worsensInMs?: number | null;
  readonly says: readonly RegExp[];
};

const rows: readonly (readonly [string, Partial<OutlookFacts>, Expected])[] = [
  ['all is well', {}, { condition: 'connected', severity: 'good', says: [/the controller answers/] }],
  [
    'no controller',
    { state: 'none', hasJoined: false },
    { condition: 'standalone', severity: 'good', says: [/no controller/] },
  ],
  [
    'a certificate and an empty store',
    { state: 'none', hasJoined: false, hasLostStore: true },
    { condition: 'storeLost', severity: 'critical', says: [/has joined a controller once/] },
  ],
  [
    'started a second ago',
    { ...silent(MIN), state: 'connecting', why: null },
    { condition: 'starting', severity: 'good', says: [/just started .* within five seconds/] },
  ],
  [
    'joining',
    { state: 'joining', hasJoined: false, certificate: null, lastPollUnixMs: null },
    { condition: 'joining', severity: 'warning', says: [/joining https:\/\/c1\.example/] },
  ],
  [
    'joining, and nobody answers',
    {
      state: 'joining',
      hasJoined: false,
      certificate: null,
      lastPollUnixMs: null,
      why: away,
      stateSinceUnixMs: NOW - MIN,
    },
    {
      condition: 'joinFailing',
      severity: 'warning',
      sinceMs: MIN,
      says: [/cannot join yet: .*ECONNREFUSED/, /tries again/],
    },
  ],
  [
    'a join string that is used up',
    {
      state: 'refused',
      hasJoined: false,
      certificate: null,
      lastPollUnixMs: null,
      why: problem('join.refused', 'this join string is not good'),
      stateSinceUnixMs: NOW - MIN,
    },
    {
      condition: 'joinRefused',
      severity: 'critical',
      sinceMs: MIN,
      says: [/not good/, /vrouterctl vrouter token NAME/],
    },
  ],
  [
    'away for a minute',
    silent(MIN),
    {
      condition: 'away',
      severity: 'warning',
      sinceMs: MIN,
      worsensInMs: 7 * HOUR - MIN,
      says: [
        /no controller has answered for 60 s: .*ECONNREFUSED; version 12/,
        /packets, new handshakes/,
        /do not arrive/,
      ],
    },
  ],
  [
    'away, certificate nearly at its end',
    silent(6.5 * HOUR),
    {
      condition: 'away',
      severity: 'critical',
      sinceMs: 6.5 * HOUR,
      worsensInMs: 0.5 * HOUR,
      says: [/the certificate ends; packets go on/],
    },
  ],
  [
    'away for a day, in grace',
    silent(DAY),
    {
      condition: 'grace',
      severity: 'critical',
      sinceMs: DAY,
      worsensInMs: 7 * DAY - 17 * HOUR,
      says: [
        /answered for 24 h, and the certificate ended 17 h ago/,
        /renews by itself/,
        /only a new join string helps/,
      ],
    },
  ],
  [
    'away for longer than the grace',
    silent(9 * DAY),
    {
      condition: 'lockedOut',
      severity: 'critical',
      sinceMs: 9 * DAY,
      worsensInMs: null,
      says: [/ended 9 d ago, longer than it can be renewed/, /--join/],
    },
  ],
  [
    'away, and a clock that nobody confirms says that the certificate ended',
    { ...silent(DAY), clockOffsetMs: null },
    { condition: 'grace', severity: 'critical', says: [/by this host's clock, which nobody has confirmed/] },
  ],
  [
    'the controller is back and says: too long',
    {
      ...silent(9 * DAY),
      state: 'refused',
      why: problem('certificate.required', 'the client certificate ended 8 days ago, join again'),
    },
    {
      condition: 'lockedOut',
      severity: 'critical',
      says: [/ended 9 d ago and the controller does not renew it/, /new join string/],
    },
  ],
  [
    'a certificate is refused that is good',
    refused('certificate.required', 'this call needs a client certificate'),
    {
      condition: 'certificateRefused',
      severity: 'critical',
      sinceMs: 10 * MIN,
      says: [/refuses a certificate that is good/, /clock and its log/],
    },
  ],
  [
    'revoked',
    refused('poll.identity', 'this gateway is not known here any more'),
    {
      condition: 'notKnown',
      severity: 'critical',
      sinceMs: 10 * MIN,
      worsensInMs: null,
      says: [/revoked, another has taken its place/, /new join string/],
    },
  ],
  [
    'deleted, and kept',
    {
      state: 'deleted',
      deletedUnixMs: NOW - HOUR,
      why: problem('gateway.deleted', 'the vrouter of this gateway (edge) was deleted'),
    },
    {
      condition: 'deleted',
      severity: 'critical',
      sinceMs: HOUR,
      says: [/deleted this gateway's virtual router/, /onDeleted: keep/, /engine stop/],
    },
  ],
  [
    'deleted, and flushed',
    { state: 'deleted', deletedUnixMs: NOW - HOUR, onDeleted: 'flush' },
    { condition: 'deleted', severity: 'critical', sinceMs: HOUR, says: [/taken away \(onDeleted: flush\)/] },
  ],
  [
    'somebody else answers',
    { ...silent(HOUR), why: problem('tls.fingerprint', 'https://c1.example:8443: SELF_SIGNED_CERT_IN_CHAIN') },
    {
      condition: 'untrusted',
      severity: 'critical',
      sinceMs: HOUR,
      says: [/not the controller that this gateway joined/, /somebody stands in between/],
    },
  ],
  [
    'the controller has lost its store',
    { ...silent(HOUR), why: problem('store.unavailable', 'the database is away') },
    {
      condition: 'troubled',
      severity: 'warning',
      sinceMs: HOUR,
      says: [/answers, but not as it should, .*: the database is away/],
    },
  ],
  [
    'two daemons with one data folder',
    { ...silent(HOUR), why: problem('poll.replay', 'not the one that comes next') },
    { condition: 'replayed', severity: 'critical', says: [/out of order/, /copy of this data folder/] },
  ],
  [
    'it answers, but does not renew',
    { certificate: { notBeforeUnixMs: NOW - 6 * HOUR, notAfterUnixMs: NOW + 2 * HOUR } },
    {
      condition: 'certificateLate',
      severity: 'warning',
      worsensInMs: 2 * HOUR,
      says: [/was not renewed/, /certificate renew/],
    },
  ],
  [
    'the same, near the end',
    { certificate: { notBeforeUnixMs: NOW - 7 * HOUR, notAfterUnixMs: NOW + HOUR } },
    { condition: 'certificateLate', severity: 'critical', worsensInMs: HOUR, says: [/was not renewed/] },
  ],
  [
    'a clock that is a minute off',
    { clockOffsetMs: -MIN },
    { condition: 'clockOff', severity: 'warning', says: [/60 s ahead of the controller's/, /NTP/] },
  ],
  [
    'a clock that is a year off; the certificate is judged by the right one',
    {
      clockOffsetMs: -365 * DAY,
      certificate: { notBeforeUnixMs: NOW - 365 * DAY - HOUR, notAfterUnixMs: NOW - 365 * DAY + 7 * HOUR },
    },
    { condition: 'clockWrong', severity: 'critical', says: [/365 days ahead/, /peers refuse handshakes/] },
  ],
  [
    'away with a clock that is a year off: its end is told by our clock',
    {
      ...silent(MIN),
      clockOffsetMs: -365 * DAY,
      certificate: { notBeforeUnixMs: NOW - 365 * DAY - HOUR, notAfterUnixMs: NOW - 365 * DAY + 7 * HOUR },
    },
    { condition: 'away', severity: 'warning', worsensInMs: 7 * HOUR, says: [/60 s/] },
  ],
  [
    'a version that is held',
    { held: { version: 13, removes: 40, reason: '40 of 50 peers' } },
    {
      condition: 'held',
      severity: 'warning',
      says: [/version 13 waits for a person: it would take away 40/, /plan confirm/],
    },
  ],
];

for (const [name, changes, { condition, severity, sinceMs, worsensInMs, says }] of rows)
  test(name, () => {
    const told = outlookOf({ ...usual, ...changes });
    outlook.parse(told);
    assert.deepEqual([told.condition, told.severity], [condition, severity]);
    if (sinceMs !== undefined) assert.equal(told.sinceUnixMs, sinceMs === null ? null : NOW - sinceMs);
    if (worsensInMs !== undefined)
      assert.equal(told.worsens?.atUnixMs ?? null, worsensInMs === null ? null : NOW + worsensInMs);
    const all = [told.summary, told.works, told.stopped, told.worsens?.what, told.advice].join('\n');
    for (const pattern of says) assert.match(all, pattern);
    assert.ok(told.works !== '' && !/undefined|null|NaN/.test(all), all);
    // Whatever is wrong comes with something to do.
    if (severity === 'critical') assert.notEqual(told.advice, null);
  });

test('there is a row for every condition', () => {
  const seen = new Set(rows.map(([, , { condition }]) => condition));
  assert.deepEqual(
    outlook.shape.condition.options.filter((one) => !seen.has(one)),
    [],
  );
});
