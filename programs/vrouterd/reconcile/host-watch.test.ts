import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefixOf } from '@vrouter/intent/compile/overlap.ts';
import { HostWatch } from './host-watch.ts';

test('one look for all who ask at once; a change is told once, and that of a link of ours never', () => {
  let now = 0;
  let rows = [{ interface: 'eth0', prefix: prefixOf('192.0.2.0/24'), isGateway: false }];
  let looks = 0;
  const watch = new HostWatch(
    () => {
      looks++;
      now += 5;
      return rows;
    },
    (link) => link.startsWith('br-'),
    () => now,
  );
  assert.equal(watch.hasChanged(), false);
  assert.equal(looks, 0, 'nobody has asked');
  watch.networks();
  now += 99;
  assert.equal(watch.networks()[0]?.isOurs, false);
  assert.equal(looks, 1);
  now += 1;
  watch.networks();
  assert.equal(looks, 2);
  rows = [...rows, { interface: 'br-blue', prefix: prefixOf('172.18.0.0/16'), isGateway: false }];
  assert.equal(watch.hasChanged(), false);
  assert.equal(watch.networks()[1]?.isOurs, true);
  now += 100;
  rows = [...rows, { interface: 'eth1', prefix: prefixOf('172.19.0.0/16'), isGateway: false }];
  // Somebody who asks in between has the new answer; the others have yet to be told.
  assert.equal(watch.networks().length, 3);
  assert.deepEqual([watch.hasChanged(), watch.hasChanged()], [true, false]);
});
