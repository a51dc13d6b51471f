/**
 * A table that is ours alone while we run, and stays when we end (Linux 6.9). A program for a network namespace of its own; says `ok` at the end,
 * also on a kernel that cannot do it, where all is as without.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import type { FirewallObject } from '@vrouter/drivers/linux/nftables/cells.ts';
import { Firewall, type FirewallStep } from '@vrouter/drivers/linux/nftables/firewall.ts';
import { canHold } from '@vrouter/drivers/linux/nftables/holding.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';

const nft = (...args: readonly string[]): string => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });
const pause = async (): Promise<void> => {};
function open(hold: boolean) {
  const socket = openNetlink({ protocol: NetlinkProtocol.netfilter, sendBytes: 1 << 20 });
  const kernel = new Conversation(socket, pause);
  return { socket, kernel, firewall: new Firewall(kernel, null, hold) };
}
const isolated: FirewallObject = { kind: 'isolation', link: 'eth0', internal: false, gateways: [] };
const set: FirewallStep = { op: 'set', object: isolated };
const seen = async (firewall: Firewall): Promise<number> => (await firewall.observe()).objects.length;

const first = open(true);
const can = await canHold(first.kernel);
assert.equal(nft('list', 'tables'), '', 'asking makes nothing');

// One that an earlier program made, which could not hold it, becomes ours as it is.
const older = open(false);
assert.deepEqual(await older.firewall.apply([set]), [null]);
older.socket.close();
assert.equal(await seen(first.firewall), 1);
if (can) {
  nft('flush', 'ruleset');
  assert.equal(await seen(first.firewall), 1, 'who flushes everything passes it by');
  assert.throws(() => nft('delete', 'table', 'inet', 'vrouter'), /Operation not permitted/);
  const second = open(true);
  await assert.rejects(second.firewall.observe(), /object\.exists/);
  first.socket.close();
  assert.match(nft('list', 'tables'), /vrouter/, 'it outlives its holder');
  assert.equal(await seen(second.firewall), 1, 'and the next one has it');
  assert.throws(() => nft('delete', 'table', 'inet', 'vrouter'), /Operation not permitted/);
  assert.deepEqual(await second.firewall.apply([{ op: 'delete', object: isolated }]), [null]);
  assert.equal(nft('list', 'tables'), '', 'nobody wants anything');
  assert.deepEqual(await second.firewall.apply([set]), [null]);
  second.socket.close();
}
nft('flush', 'ruleset');
assert.equal(nft('list', 'tables'), '', 'with nobody there anybody may delete it');
console.log('ok');
process.exit(0);
