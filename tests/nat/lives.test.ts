/** Published ports, hairpin, limits and lives of translations, and what is left of them when a program dies: real hosts, real programs. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LAB_NEEDS, until } from '../wireguard-go/lab.ts';
import { needs } from '../world/needs.ts';
import {
  A,
  B,
  FLOATING,
  NatWorld,
  OUTSIDE,
  type Place,
  PUBLISHED_PORT,
  SERVER,
  SERVER_PORT,
  throughAPort,
  throughTheHost,
} from './world.ts';

const skip = needs(...LAB_NEEDS, 'curl', 'traceroute');
const at = (host: string, port: number, path: string): string => `http://${host}:${port}/${path}`;

/** A curl that goes on while other things happen. */
class Flow {
  readonly #child: ChildProcess;
  #text = '';

  constructor(world: NatWorld, place: Place, url: string) {
    this.#child = world.spawn(place, 'curl', '-sSN', '--max-time', '60', url);
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.#text += String(chunk);
    });
  }

  get lines(): number {
    return this.#text.split('\n').length - 1;
  }

  /** Every line that the server has sent, once and in order, and a good end. */
  async whole(lines: number): Promise<void> {
    const [code] = this.#child.exitCode === null ? await once(this.#child, 'close') : [this.#child.exitCode];
    assert.equal(code, 0, `curl ended with ${code} after ${this.lines} lines`);
    assert.equal(this.#text, Array.from({ length: lines }, (_, i) => `${i}\n`).join(''));
  }
}

/** The other way: the client sends a line every 50 ms, and hears in the end how many bytes came. */
class Upload {
  readonly #told: Promise<string>;
  readonly #bytes: number;

  constructor(world: NatWorld, place: Place, url: string, lines: number) {
    const feed = `i=0; while [ $i -lt ${lines} ]; do echo line; i=$((i+1)); sleep 0.05; done`;
    const child = world.spawn(place, 'sh', '-c', `( ${feed} ) | curl -sSN --max-time 60 -T - ${url}`);
    this.#told = text(child.stdout!);
    this.#bytes = 5 * lines;
  }

  async whole(): Promise<void> {
    assert.equal(await this.#told, String(this.#bytes));
  }
}

for (const way of [throughTheHost, throughAPort])
  describe(`NAT out by ${way.name}: lives`, { skip }, () => {
    const world = new NatWorld(way, 'default');
    before(() => world.start(), { timeout: 60_000 });
    after(() => world.stop());

    /** Connections of a host to the server that are open, as far as the gateway knows. */
    const open = async (host: string): Promise<number> =>
      (await world.daemon.api.nat()).sessions.filter(
        ({ inside, remote, state }) =>
          inside.startsWith(`${host}:`) && remote === `${SERVER}:${SERVER_PORT}` && state === 'established',
      ).length;
    const settings = (said: { readonly [field: string]: number }): Promise<void> =>
      world.say({ kind: 'natSettings', ...said }, async () => {
        const limits: { readonly [field: string]: number } = (await world.daemon.api.nat()).limits;
        return Object.entries(said).every(([field, value]) => limits[field] === value);
      });
    const drops = async (reason: string): Promise<number> => (await world.daemon.api.stats()).drops[reason] ?? 0;

    test('published ports: a server sees who asks, by TCP and UDP', async () => {
      assert.match(world.curl('s', at(OUTSIDE, PUBLISHED_PORT, 'who')), /203\.0\.113\.5:\d+$/);
      const [answer] = await world.ask('s', OUTSIDE, PUBLISHED_PORT);
      assert.match(answer ?? '', /^203\.0\.113\.5:\d+ 10$/);
      const [large] = await world.ask('s', OUTSIDE, PUBLISHED_PORT, 1, 5000);
      assert.match(large ?? '', /^203\.0\.113\.5:\d+ 5000$/);
      const down = world.curl(
        's',
        '-o',
        '/dev/null',
        '-w',
        '%{size_download}',
        at(OUTSIDE, PUBLISHED_PORT, 'bytes/5000000'),
      );
      assert.equal(down, '5000000');
    });

    test('hairpin: the other peer, and the publisher itself, reach the published port by the outside address', async () => {
      for (const place of ['b', 'a'] as const) {
        assert.match(world.curl(place, at(OUTSIDE, PUBLISHED_PORT, 'who')), /192\.0\.2\.2:\d+$/);
        const [answer] = await world.ask(place, OUTSIDE, PUBLISHED_PORT);
        assert.match(answer ?? '', /^192\.0\.2\.2:\d+ 10$/);
      }
      const [large] = await world.ask('b', OUTSIDE, PUBLISHED_PORT, 1, 5000);
      assert.match(large ?? '', /^192\.0\.2\.2:\d+ 5000$/);
    });

    test('published, and still there by its own address: for the other peer, for the host, and for who has a route to it', async () => {
      const speakers = way === throughTheHost ? (['b', 'g', 's'] as const) : (['b', 's'] as const);
      for (const place of speakers) {
        const from = { b: B, g: '192.0.2.1', s: SERVER }[place];
        assert.equal(
          world
            .curl(place, at(A, SERVER_PORT, 'who'))
            .replace(/:\d+$/, '')
            .replace('::ffff:', ''),
          from,
        );
        const [answer] = await world.ask(place, A, SERVER_PORT, 1);
        assert.match(answer ?? '', new RegExp(`^${from.replaceAll('.', '\\.')}:\\d+ 10$`));
        const [large] = await world.ask(place, A, SERVER_PORT, 1, 5000);
        assert.match(large ?? '', / 5000$/);
      }
      const told = (await world.daemon.api.nat()).sessions.filter(({ inside }) => inside === `${A}:${SERVER_PORT}`);
      for (const { remote } of told) assert.ok(!remote.startsWith(`${B}:`), 'the other peer has no session');
      assert.match(world.curl('s', at(OUTSIDE, PUBLISHED_PORT, 'who')), /203\.0\.113\.5:\d+$/);
    });

    test('a floating address: a as a whole, from either side and from the other peer', async () => {
      const intent = { kind: 'floatingIp', id: 'a', address: FLOATING, fixedAddress: A };
      await world.say(intent, async () =>
        (await world.daemon.api.nat()).rules.some(({ name }) => name === `floating/default/${FLOATING}`),
      );
      assert.match(world.curl('a', at(SERVER, SERVER_PORT, 'who')), /198\.51\.100\.9:\d+$/);
      assert.match(world.curl('s', at(FLOATING, SERVER_PORT, 'who')), /203\.0\.113\.5:\d+$/);
      const [answer] = await world.ask('s', FLOATING, SERVER_PORT, 1, 5000);
      assert.match(answer ?? '', /^203\.0\.113\.5:\d+ 5000$/);
      assert.match(world.curl('b', at(FLOATING, SERVER_PORT, 'who')), /192\.0\.2\.2:\d+$/);
      for (const place of ['s', 'b'] as const) {
        const { output } = world.run(place, 'ping', '-n', '-c', '2', '-i', '0.2', '-W', '2', '-s', '3000', FLOATING);
        assert.match(output, /2 received/, output);
      }
      const forbidding = ['-n', '-c', '2', '-i', '0.3', '-W', '1', '-M', 'do', '-s', String(way.mtu - 28)];
      const theirs = world.run('a', 'ping', ...forbidding, SERVER);
      assert.match(theirs.output, /mtu ?= ?1300/, theirs.output);
      const traced = world.run('s', 'traceroute', '-n', '-I', '-q', '1', '-w', '2', '-m', '6', FLOATING);
      assert.match(traced.output, /198\.51\.100\.9 [^\n]*\n$/, traced.output);
      // What was published of the other address stays as it was.
      assert.match(world.curl('s', at(OUTSIDE, PUBLISHED_PORT, 'who')), /203\.0\.113\.5:\d+$/);
      await world.unsay('floatingIp', async () => (await world.daemon.api.nat()).rules.length === 3);
      assert.match(world.curl('a', at(SERVER, SERVER_PORT, 'who')), /192\.0\.2\.2:\d+$/);
    });

    test('a host at its limit is refused and counted; others go on', async () => {
      await settings({ sessionsPerHost: 20, udpOneWaySeconds: 2, udpSeconds: 4, icmpSeconds: 3 });
      const before = await drops('natHostLimit');
      // A life that has begun ends as it began: what b has from before counts.
      const has = (await world.daemon.api.nat()).sessions.filter(({ inside }) =>
        inside.startsWith('10.99.0.3:'),
      ).length;
      assert.equal((await world.ask('b', SERVER, SERVER_PORT, 40)).length, 20 - has);
      assert.equal((await drops('natHostLimit')) - before, 20 + has);
      assert.equal((await world.ask('a', SERVER, SERVER_PORT)).length, 1);
      const { mostOfHost, limits } = await world.daemon.api.nat();
      assert.deepEqual([mostOfHost, limits.sessionsPerHost], [20, 20]);
    });

    test('idle translations live as long as was said; those that are used live on', async () => {
      await settings({
        udpOneWaySeconds: 2,
        udpSeconds: 4,
        icmpSeconds: 3,
        tcpEstablishedSeconds: 5,
        tcpTransitorySeconds: 2,
      });
      assert.equal((await world.ask('a', SERVER, SERVER_PORT)).length, 1);
      world.run('a', 'ping', '-c', '1', '-W', '2', SERVER);
      world.curl('a', at(SERVER, SERVER_PORT, 'who'));
      const began = performance.now();
      const ends: { [protocol: string]: number } = {};
      const alive = async (): Promise<boolean> => {
        const told = (await world.daemon.api.nat()).sessions;
        for (const [protocol, port] of [
          ['udp', `:${SERVER_PORT}`],
          ['icmp', ''],
          ['tcp', `:${SERVER_PORT}`],
        ] as const) {
          const lives = told.some(
            (one) =>
              one.protocol === protocol &&
              one.remote === `${SERVER}${port}` &&
              one.inside.startsWith(`${A}:`) &&
              // Those of tests before have minutes; a life is rounded up to the next second.
              one.expiresInSeconds <= 6,
          );
          if (!lives) ends[protocol] ??= (performance.now() - began) / 1000;
        }
        return Object.keys(ends).length === 3;
      };
      assert.equal(await alive(), false);
      await until('all three to end', alive, 10);
      // A life is rounded up to the next second, and curl's close was seen a moment ago.
      assert.ok(ends.udp! > 3 && ends.udp! < 5.5, `UDP ${ends.udp} s`);
      assert.ok(ends.icmp! > 2 && ends.icmp! < 4.5, `ICMP ${ends.icmp} s`);
      assert.ok(ends.tcp! > 1 && ends.tcp! < 3.5, `TCP ${ends.tcp} s`);
      const flow = new Flow(world, 'a', at(SERVER, SERVER_PORT, 'slow/160'));
      const feed = '( echo early; sleep 8; echo late )';
      const url = at(SERVER, SERVER_PORT, '');
      const idle = world.spawn('b', 'sh', '-c', `${feed} | curl -sSN --max-time 20 -T - ${url}`);
      const told = text(idle.stdout!);
      await sleep(1000);
      assert.equal(await open(B), 1);
      await sleep(6000);
      assert.equal(await open(B), 0, 'nobody has spoken for 5 s');
      assert.equal(await open(A), 1);
      await flow.whole(160);
      // It has ended here, not at its ends: when the inside speaks again, it goes on.
      assert.equal(await told, '11');
    });

    test('the daemon is killed and comes back: no flow is cut, no translation is lost', async () => {
      await settings({ udpSeconds: 300, tcpEstablishedSeconds: 7440 });
      const flows = [
        new Flow(world, 'a', at(SERVER, SERVER_PORT, 'slow/100')),
        new Flow(world, 's', at(OUTSIDE, PUBLISHED_PORT, 'slow/100')),
        new Flow(world, 'b', at(OUTSIDE, PUBLISHED_PORT, 'slow/100')),
      ];
      await until('the flows to flow', () => flows.every(({ lines }) => lines > 5));
      const before = await world.daemon.api.nat();
      const { epoch } = await world.daemon.api.stats();
      await world.daemon.end('SIGKILL');
      world.daemon.start();
      await until('the daemon to be back', async () => {
        try {
          return (await world.daemon.api.nat()).rules.length === before.rules.length;
        } catch {
          return false;
        }
      });
      const after = await world.daemon.api.nat();
      assert.equal((await world.daemon.api.stats()).epoch, epoch);
      const live = (told: typeof after): string[] =>
        told.sessions
          .filter(({ state, protocol }) => protocol === 'tcp' && state === 'established')
          .map(({ inside, remote }) => `${inside} ${remote}`)
          .sort();
      assert.deepEqual(live(after), live(before));
      assert.equal(after.limits.tcpEstablishedSeconds, 7440);
      for (const flow of flows) await flow.whole(100);
    });

    test('the engine is killed: flows of published ports go on by themselves, and others when the inside speaks', async () => {
      const flow = new Flow(world, 's', at(OUTSIDE, PUBLISHED_PORT, 'slow/120'));
      const upload = (place: Place, url: string): Upload => new Upload(world, place, url, 120);
      const uploads = [
        upload('s', at(OUTSIDE, PUBLISHED_PORT, '')),
        upload('b', at(SERVER, SERVER_PORT, '')),
        // By the own address of the publisher: nothing of that is anybody else's.
        upload('b', at(A, SERVER_PORT, '')),
        ...(way === throughTheHost ? [upload('g', at(A, SERVER_PORT, ''))] : []),
      ];
      const direct = new Flow(world, 'b', at(A, SERVER_PORT, 'slow/120'));
      await until('the flows to flow', () => flow.lines > 5 && direct.lines > 5);
      // Where the peers are is known to whoever asks.
      await world.daemon.api.peers();
      const { engine } = await world.daemon.api.status();
      process.kill(engine!.pid, 'SIGKILL');
      await until('another engine', async () => {
        try {
          const { engine: now } = await world.daemon.api.status();
          return now !== null && now.pid !== engine!.pid;
        } catch {
          return false;
        }
      });
      await flow.whole(120);
      await direct.whole(120);
      for (const one of uploads) await one.whole();
      assert.match(world.curl('s', at(OUTSIDE, PUBLISHED_PORT, 'who')), /203\.0\.113\.5:\d+$/);
      const { sessions: told, limits } = await world.daemon.api.nat();
      assert.ok(told.some(({ outside }) => outside === `${OUTSIDE}:${PUBLISHED_PORT}`));
      assert.equal(limits.udpSeconds, 300, 'what was said holds in the new one too');
    });
  });
