/** The list of promises, each held by name, and all that need a machine tried on one: `acceptance.ts` in a guest. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs } from '../world/needs.ts';
import { items } from './list.ts';

const MODULES = [
  ...['ipv6', '8021q', 'veth', 'bridge', 'vsock_loopback'],
  ...['nft_ct', 'nft_masq', 'nft_nat', 'nft_fib_inet', 'nft_chain_nat', 'nft_hash', 'nf_conntrack_netlink'],
];
const skip = needsGuest() || needs('dnsmasq', 'dig', 'curl', 'iperf3', 'nft', 'conntrack', 'ping', 'pgrep');

const onMachine = items.filter((item) => item.onMachine).map(({ number }) => number);
/** A machine for what is asked of a service that runs, and one for what is done to it, at once: an emulated one is slow. */
const shares = [onMachine.filter((number) => number < 24), onMachine.filter((number) => number >= 24)];

test('the list has its 27 items, and each is held by tests that exist', () => {
  assert.deepEqual(
    items.map(({ number }) => number),
    Array.from({ length: 27 }, (_, i) => i + 1),
  );
  for (const { number, onMachine, heldBy } of items) {
    assert.ok(onMachine || heldBy.length > 0, `${number} is held nowhere`);
    for (const [file, name] of heldBy) assert.ok(hasTest(read(file), name), `${number}: ${file} has no test "${name}"`);
  }
});

describe('the whole service on a machine of its own', { skip }, () => {
  let output = '';

  before(async () => {
    const program = new URL('acceptance.ts', import.meta.url).pathname;
    const runs = await Promise.all(shares.map((share) => runInGuest(MODULES, program, ...share.map(String))));
    output = runs.map((run) => run.output).join('\n');
  });

  for (const { number, says } of items.filter(({ onMachine }) => onMachine))
    test(`${number}: ${says}`, (t) => {
      const [, verdict, rest] = new RegExp(`^(ok|not ok) ${number} (.*)$`, 'm').exec(output) ?? [];
      assert.notEqual(verdict, undefined, `it was not tried:\n${output}`);
      assert.equal(verdict, 'ok', rest?.replaceAll('\\n', '\n'));
      t.diagnostic(rest!);
    });
});

test('docs/compat/router-service.md names tests that exist', () => {
  const text = read('docs/compat/router-service.md');
  const rows = text.split('\n').filter((line) => line.startsWith('|') && !/^\| *-/.test(line));
  const named = rows
    .filter((line) => line.split('|').length === 5)
    .map((line) => line.split('|')[3]!.trim())
    .filter((cell) => cell !== 'test' && cell !== '' && /^(machine|`)/.test(cell))
    .flatMap((cell) => cell.split(' · '));
  assert.ok(named.length > 50);
  for (const name of named) {
    const [, number] = /^machine: (\d+)$/.exec(name) ?? [];
    const [, file, begins] = /^`([a-z-]+)`: (.+)$/.exec(name) ?? [];
    if (number !== undefined)
      assert.ok(
        items.some((item) => item.onMachine && item.number === Number(number)),
        name,
      );
    else assert.ok(hasTest(read(`programs/vrouterd/doors/router/${file}.test.ts`), begins!), name);
  }
});

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

function hasTest(source: string, begins: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`test(${quote}${begins}`));
}
