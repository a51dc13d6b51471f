/** Items of the list as tests, tried by `acceptance.ts` on a machine of its own. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs } from '../world/needs.ts';
import { items } from './list.ts';

/** From here on the service is killed, hurried and hindered, which takes an emulated machine minutes. */
export const FIRST_OF_LIFE = 24;
const MODULES = [
  ...['ipv6', '8021q', 'veth', 'bridge', 'vsock_loopback'],
  ...['nft_ct', 'nft_masq', 'nft_nat', 'nft_fib_inet', 'nft_chain_nat', 'nft_hash', 'nf_conntrack_netlink'],
];
const skip = needsGuest() || needs('dnsmasq', 'dig', 'curl', 'iperf3', 'nft', 'conntrack', 'ping', 'pgrep');

/** Registers a test of each item that needs a machine and is chosen. */
export function triedOnMachine(chosen: (number: number) => boolean): void {
  const share = items.filter(({ onMachine, number }) => onMachine && chosen(number));
  describe('the whole service on a machine of its own', { skip }, () => {
    let output = '';

    before(async () => {
      const program = new URL('acceptance.ts', import.meta.url).pathname;
      const numbers = share.map(({ number }) => String(number));
      output = (await runInGuest(MODULES, program, ...numbers)).output;
      // One of the six processes that it takes until then may have fallen over an emulated processor (`world.ts`); nothing has been tried yet.
      if (!/^served\b/m.test(output)) output = (await runInGuest(MODULES, program, ...numbers)).output;
    });

    for (const { number, says } of share)
      test(`${number}: ${says}`, (t) => {
        const [, verdict, rest] = new RegExp(`^(ok|not ok) ${number} (.*)$`, 'm').exec(output) ?? [];
        assert.notEqual(verdict, undefined, `it was not tried:\n${output}`);
        assert.equal(verdict, 'ok', rest?.replaceAll('\\n', '\n'));
        t.diagnostic(rest!);
      });
  });
}
