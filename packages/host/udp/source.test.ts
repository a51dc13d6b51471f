/** Answers leave from the address that was asked: in a namespace whose loopback has further addresses of each family. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { udpBackend } from './open.ts';

const here = new URL('.', import.meta.url).href;

/** Clients are connected sockets, as a stateful firewall is: what comes from another address does not reach them. */
const program = `
  const { execFileSync } = await import('node:child_process');
  const { createSocket } = await import('node:dgram');
  const { openUdp } = await import('${here}open.ts');
  const { Inbox, pattern, rowsOf } = await import('${here}testing.ts');
  const told = [];
  for (const [bound, asked, other] of [
    ['0.0.0.0', '192.0.2.77', '192.0.2.1'],
    ['::', '192.0.2.77', '192.0.2.1'],
    ['::', '2001:db8::77', '2001:db8::1'],
  ]) {
    const hub = await openUdp({ address: bound, port: 0 });
    const inbox = new Inbox(hub);
    const six = asked.includes(':');
    const client = createSocket(six ? 'udp6' : 'udp4');
    // Answers to this address would leave from itself.
    const own = six ? '::1' : '127.0.0.1';
    await new Promise((done) => client.bind({ port: 0, address: own }, done));
    await new Promise((done) => client.connect(hub.localPort, asked, done));
    client.send('first');
    await inbox.until(1);
    const sources = [];
    let heard = () => {};
    client.on('message', (bytes, from) => { sources.push(from.address); heard(); });
    const until = (count) => new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error(sources.length + ' of ' + count)), 2000);
      heard = () => { if (sources.length >= count) { clearTimeout(timer); done(); } };
      heard();
    });
    const { from } = inbox.arrivals[0];
    const taken = hub.send(rowsOf([...new Array(20).fill(pattern(900, 1)), pattern(5, 2)], from));
    await until(21).catch(() => {});
    // The same sender by the other address is another endpoint; by this one it is the same.
    const free = createSocket(six ? 'udp6' : 'udp4');
    await new Promise((done) => free.bind({ port: 0, address: own }, done));
    const answered = [];
    for (const to of [asked, other, asked]) {
      const before = inbox.arrivals.length;
      free.send('x', hub.localPort, to);
      await inbox.until(before + 1);
      const came = new Promise((done) => free.once('message', (bytes, info) => done(info.address)));
      hub.send(rowsOf([pattern(7, 3)], inbox.arrivals[before].from));
      answered.push(await came);
    }
    const [, a, b, c] = inbox.arrivals.map((arrival) => arrival.from);
    // No way there: refused, and not the address's fault.
    const nowhere = { ...c, address: six ? Uint8Array.from([0x20, 2, ...new Array(14).fill(1)]) : Uint8Array.of(198, 51, 100, 1) };
    const unsent = hub.send(rowsOf([pattern(7, 3)], nowhere));
    const noWay = { unsent, refused: hub.refused, kept: nowhere.source === c.source && c.source !== null };
    // The address goes: the next answer leaves by another one, nothing is lost.
    const bits = six ? '/128' : '/32';
    execFileSync('ip', ['addr', 'del', asked + bits, 'dev', 'lo']);
    const came = new Promise((done) => {
      const infos = [];
      free.on('message', (bytes, info) => { infos.push(info.address); if (infos.length === 3) done(infos); });
    });
    const gone = hub.send(rowsOf(new Array(3).fill(pattern(8, 4)), c));
    const after = await came;
    const cleared = c.source;
    execFileSync('ip', ['addr', 'add', asked + bits, 'dev', 'lo', ...(six ? ['nodad'] : [])]);
    free.send('x', hub.localPort, asked);
    await inbox.until(5);
    const back = inbox.arrivals[4].from;
    told.push({
      bound, asked, taken, sources: [...new Set(sources)], count: sources.length, answered,
      sameAsked: a === c, apart: a !== b, texts: a.text === b.text, gone, after, cleared,
      restored: back === c && c.source !== null, refused: hub.counters.sendRefused, noWay,
    });
    free.close(); client.close(); await hub.close();
  }
  console.log(JSON.stringify(told));
`;

const setUp = [
  'ip link set lo up',
  'ip addr add 192.0.2.1/32 dev lo && ip addr add 192.0.2.77/32 dev lo',
  'ip addr add 2001:db8::1/128 dev lo nodad && ip addr add 2001:db8::77/128 dev lo nodad',
].join(' && ');

/** False, or why this world cannot be had here. */
function missing(): string | false {
  if (udpBackend() !== 'recvmmsg') return 'node:dgram does not tell which address was asked';
  const tried = spawnSync('unshare', ['-Urn', 'sh', '-c', setUp], { encoding: 'utf8' });
  return tried.status === 0 ? false : 'needs unshare -Urn and ip';
}

it('answers from the address that was asked, one by one and in runs, until it is gone', { skip: missing() }, () => {
  const output = execFileSync(
    'unshare',
    ['-Urn', 'sh', '-c', `${setUp} && exec "$0" --input-type=module -e "$1"`, process.execPath, program],
    {
      encoding: 'utf8',
      cwd: new URL('.', import.meta.url),
      timeout: 30_000,
    },
  );
  const told = JSON.parse(output);
  assert.equal(told.length, 3);
  for (const row of told) {
    const other = row.asked.includes(':') ? '2001:db8::1' : '192.0.2.1';
    const { asked } = row;
    assert.deepEqual([row.taken, row.sources, row.count], [21, [asked], 21], `${row.bound} ${asked}`);
    assert.deepEqual(row.answered, [asked, other, asked]);
    assert.deepEqual([row.sameAsked, row.apart, row.texts], [true, true, true]);
    assert.equal(row.gone, 3);
    assert.equal(row.after.length, 3);
    assert.ok(row.after.every((from: string) => from !== asked));
    assert.equal(row.cleared, null);
    assert.deepEqual([row.restored, row.refused], [true, 1]);
    assert.deepEqual(row.noWay, { unsent: 0, refused: 1, kept: true });
  }
});
