import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryLedger } from '../ledger.ts';
import { MadeLinks } from './made.ts';

const mark = { link: 'eth0.300', ownMac: false, anyPort: false };
const row = { name: 'eth0.300', index: 7 };

test('a link that we made is known by name and number, also to the next one, until the machine starts anew', () => {
  const ledger = new MemoryLedger();
  const made = new MadeLinks(ledger, 'boot 1');
  assert.equal(made.markOf(row), null);
  made.note(row, mark);
  for (const one of [made, new MadeLinks(ledger, 'boot 1')]) {
    assert.deepEqual(one.markOf(row), mark);
    assert.equal(one.markOf({ ...row, index: 8 }), null, 'another one of that name');
    assert.equal(one.markOf({ ...row, name: 'lan' }), null, 'called otherwise');
  }
  const later = new MadeLinks(ledger, 'boot 2');
  assert.equal(later.markOf(row), null);
  assert.deepEqual(ledger.entries(''), [], 'and nothing is kept of it');
});

test('made again it has another number; forgotten it is nobody’s', () => {
  const ledger = new MemoryLedger();
  const made = new MadeLinks(ledger, '');
  made.note(row, mark);
  made.note({ ...row, index: 9 }, { ...mark, ownMac: true });
  assert.equal(made.markOf(row), null);
  assert.equal(made.markOf({ ...row, index: 9 })?.ownMac, true);
  made.forget('eth0.300');
  made.forget('eth0.300');
  assert.equal(made.markOf({ ...row, index: 9 }), null);
  assert.deepEqual(ledger.entries(''), []);
});

test('what an older router left is offered by name and number, until it is ours or taken back', () => {
  const ledger = new MemoryLedger();
  const made = new MadeLinks(ledger, '');
  made.offer(row);
  assert.equal(new MadeLinks(ledger, '').isOffered(row), true);
  assert.equal(made.isOffered({ ...row, index: 8 }), false);
  assert.equal(made.markOf(row), null, 'it is not ours yet');
  made.note(row, mark);
  assert.equal(made.isOffered(row), false);
  made.offer(row);
  made.withdraw(row.name);
  made.withdraw(row.name);
  assert.equal(made.isOffered(row), false);
  assert.equal(new MadeLinks(ledger, '').isOffered(row), false);
});
