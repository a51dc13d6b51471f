/**
 * What the gateway's own kernel takes on the device of a port, by what programs/vrouterd/README.md says keeps it quiet, and by what
 * does not. Without the first, a machine of the LAN reaches any address of the host through the gateway's MAC address.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { quietingOf } from '../../programs/vrouterd/reconcile/quiet.ts';
import { needs } from '../world/needs.ts';
import { ip, World } from './world.ts';

const world = new World('q');
/** An address of the host that has nothing to do with the port. */
const UNRELATED = '203.0.113.5';

describe('the kernel beside a port', { skip: needs('root', 'netns', 'ip', 'ping') }, () => {
  before(async () => {
    await world.start();
    assert.deepEqual(await world.gateway.want(world.intents(false)), {});
    ip('-n', world.router, 'addr', 'add', `${UNRELATED}/32`, 'dev', 'lo');
  });
  after(() => world.stop());

  const set = (setting: string, value: number): void =>
    world.sysctl(world.router, `net.ipv4.conf.eth1.${setting}=${value}`);
  /** Pings that the router's kernel itself has heard. */
  const heard = (): number => {
    const icmp = world.in(world.router, 'cat', '/proc/net/snmp').split('\n');
    const [names, values] = icmp.filter((line) => line.startsWith('Icmp: ')).map((line) => line.split(' '));
    return Number(values![names!.indexOf('InEchos')]);
  };
  const reaches = (): boolean => {
    const before = heard();
    world.tried(world.a, 'ping', '-c', '1', '-W', '1', UNRELATED);
    return heard() > before;
  };

  test('as Linux makes a device, the kernel takes what is for any address of the host', () => {
    set('rp_filter', 0);
    world.sysctl(world.router, 'net.ipv4.conf.all.rp_filter=0');
    assert.ok(reaches());
  });

  for (const [setting, value] of [
    ['arp_ignore', 8],
    ['forwarding', 0],
  ] as const)
    test(`${setting}=${value} alone does not help`, () => {
      set(setting, value);
      assert.ok(reaches());
    });

  for (const value of [1, 2])
    test(`rp_filter=${value} does, and the gateway itself is reached as before`, () => {
      set('rp_filter', value);
      assert.ok(!reaches());
      world.ping(world.a, '192.168.1.1');
      world.ping(world.a, '192.168.2.10');
    });

  test('the daemon in that namespace would tell of it', () => {
    const read = (path: string): number | null => {
      const { status, said } = world.tried(world.router, 'cat', `/proc/sys/${path}`);
      return status === 0 ? Number(said) : null;
    };
    assert.deepEqual(quietingOf('eth1', read), []);
    set('rp_filter', 0);
    assert.deepEqual(quietingOf('eth1', read), ['net.ipv4.conf.eth1.rp_filter=1']);
  });
});
