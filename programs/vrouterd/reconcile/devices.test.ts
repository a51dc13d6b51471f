import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed } from '@vrouter/intent/model/objects.ts';
import { Devices } from './devices.ts';

const device = (kind: string, link: string) =>
  ({ key: `${kind}/${link}`, object: { kind, link }, learned: {} }) as unknown as Observed;

test('told at once, and when the list is another', () => {
  let rows: Observed[] = [device('wireguardDevice', 'wg1'), device('isolation', 'br-blue')];
  const devices = new Devices(() => rows);
  const heard: string[] = [];
  devices.onChange((names) => heard.push(names.join(' ')));
  devices.look();
  rows = [...rows, device('wireguardDevice', 'wg0')];
  devices.look();
  devices.look();
  rows = [];
  devices.look();
  assert.deepEqual(heard, ['wg1', 'wg0 wg1', '']);
});
