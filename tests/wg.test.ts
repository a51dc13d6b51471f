/**
 * The real wg(8) on our interfaces: each row of docs/compat/wg.md. A call stands in a mount namespace of its own, in which wg finds
 * the socket of the one daemon that is meant and no other, as if it were alone on the machine.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exchange } from '../programs/demo/traffic/exchange.ts';
import { Child } from '../programs/demo/world/child.ts';
import { waitFor } from '../programs/demo/world/wait.ts';
import { withNetwork } from './thread/network.ts';
import {
  another,
  Daemon,
  daemon,
  named,
  one,
  START_MS,
  socketOf,
  talk,
  three,
  two,
  vrouterctl,
  Wg,
} from './wg.testing.ts';
import { needs } from './world/needs.ts';

const world = { skip: needs('root', 'netns', 'wg') };

test('an interface of the file: every verb of wg', world, async (t) => {
  const { wg, name, path } = await daemon(t);
  const port = wg.do('show', name, 'listen-port').trim();
  const privateKey = wg.do('show', name, 'private-key').trim();
  const reset = (): void => {
    for (const key of wg.peers().keys()) if (key !== named) wg.set('peer', key, 'remove');
    assert.deepEqual([...wg.peers().keys()], [named]);
  };

  await t.test('the socket is where wg looks, for root alone', () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { status, stdout } = spawnSync('wg', ['show', name, 'peers'], { encoding: 'utf8' });
    assert.deepEqual([status, stdout.trim()], [0, named]);
    assert.equal(wg.do('show', 'interfaces').trim(), name);
  });

  await t.test('show: keys, port, peers', () => {
    const shown = wg.do('show', name);
    assert.match(shown, new RegExp(`interface: ${name}\n {2}public key: .{44}\n`));
    assert.ok(shown.includes(`private key: ${privateKey}\n`));
    assert.match(shown, new RegExp(`listening port: ${port}\n\npeer: `));
    assert.match(shown, /allowed ips: 10\.99\.0\.9\/32/);
    const derived = spawnSync('wg', ['pubkey'], { input: `${privateKey}\n`, encoding: 'utf8' }).stdout.trim();
    assert.equal(wg.do('show', name, 'public-key').trim(), derived);
    assert.match(wg.do('show', 'all', 'dump'), new RegExp(`^${name}\t.{44}\t.{44}\t${port}\toff\n${name}\t`));
    assert.equal(wg.do('show', name, 'fwmark').trim(), 'off');
  });

  await t.test('set: a peer comes, changes and goes', () => {
    const psk = wg.file(`${another}\n`);
    const told = ['allowed-ips', '10.99.1.0/24,fd99::/64', 'endpoint', '127.0.0.1:9', 'persistent-keepalive', '25'];
    wg.set('peer', one, 'preshared-key', psk, ...told);
    const { ips, endpoint, keepalive, psk: shown } = wg.peers().get(one)!;
    assert.deepEqual([ips, endpoint, keepalive], ['10.99.1.0/24,fd99::/64', '127.0.0.1:9', '25']);
    assert.match(shown, /^.{43}=$/);
    wg.set('peer', one, 'persistent-keepalive', 'off', 'allowed-ips', '10.99.2.7/24', 'preshared-key', '/dev/null');
    const after = wg.peers().get(one)!;
    assert.deepEqual(
      [after.ips, after.keepalive, after.psk, after.endpoint],
      ['10.99.2.0/24', 'off', '(none)', '127.0.0.1:9'],
    );
    wg.set('peer', one, 'remove');
    assert.deepEqual([...wg.peers().keys()], [named]);
    wg.set('peer', one, 'remove');
  });

  await t.test('set: an endpoint said anew is taken', () => {
    wg.set('peer', one, 'endpoint', '127.0.0.1:9');
    wg.set('peer', one, 'endpoint', '[::1]:10');
    assert.equal(wg.peers().get(one)!.endpoint, '[::1]:10');
    reset();
  });

  await t.test('set: an allowed IP moves between peers of wg, and is not taken from others', () => {
    wg.set('peer', one, 'allowed-ips', '10.99.1.1/32,10.99.1.2/32');
    wg.set('peer', two, 'allowed-ips', '10.99.1.2/32');
    assert.deepEqual([wg.peers().get(one)!.ips, wg.peers().get(two)!.ips], ['10.99.1.1/32', '10.99.1.2/32']);
    const before = wg.do('show', name, 'dump');
    wg.refused(
      /Device or resource busy/,
      'set',
      name,
      'peer',
      one,
      'allowed-ips',
      '10.99.0.9/32',
      'peer',
      two,
      'remove',
    );
    assert.equal(wg.do('show', name, 'dump'), before);
    reset();
  });

  await t.test('set: what no peer can have is refused whole', () => {
    const before = wg.do('show', name, 'dump');
    for (const bad of ['224.0.0.0/4', 'ff00::/8', '0.0.0.0/8', '::1', '::ffff:0:0/96', '127.0.0.1/32']) {
      const rule = ['peer', one, 'allowed-ips', '10.99.1.1/32', 'peer', two, 'allowed-ips', `${bad},10.99.1.2/32`];
      wg.refused(/Invalid argument/, 'set', name, ...rule);
      assert.equal(wg.do('show', name, 'dump'), before, bad);
    }
  });

  await t.test('set: a peer of the file is not changed', () => {
    const before = wg.do('show', name, 'dump');
    wg.refused(/Operation not permitted/, 'set', name, 'peer', one, 'peer', named, 'persistent-keepalive', '5');
    wg.refused(/Operation not permitted/, 'set', name, 'peer', named, 'remove');
    assert.equal(wg.do('show', name, 'dump'), before);
    wg.set('peer', named, 'allowed-ips', '10.99.0.9/32');
  });

  await t.test('set: the interface itself is not changed', () => {
    wg.refused(/Operation not permitted/, 'set', name, 'listen-port', String((Number(port) % 60_000) + 1));
    wg.refused(/Operation not permitted/, 'set', name, 'private-key', wg.file(`${another}\n`));
    wg.refused(/Operation not permitted/, 'set', name, 'private-key', '/dev/null');
    wg.refused(/Operation not supported/, 'set', name, 'fwmark', '51820');
    wg.set('listen-port', port, 'fwmark', 'off', 'private-key', wg.file(`${privateKey}\n`));
    assert.equal(wg.do('show', name, 'listen-port').trim(), port);
  });

  await t.test('showconf, setconf: what is shown can be set again; peers of wg that are not in it go', () => {
    wg.set('peer', one, 'allowed-ips', '10.99.1.1/32', 'endpoint', '127.0.0.1:9');
    const shown = wg.do('showconf', name);
    wg.set('peer', two, 'allowed-ips', '10.99.1.2/32');
    wg.do('setconf', name, wg.file(shown));
    assert.deepEqual([...wg.peers().keys()].sort(), [named, one].sort());
    assert.equal(wg.do('showconf', name), shown);
    wg.do('setconf', name, wg.file(`[Interface]\nPrivateKey = ${privateKey}\n`));
    assert.deepEqual([...wg.peers().keys()], [named]);
    wg.refused(/Operation not permitted/, 'setconf', name, wg.file(`[Peer]\nPublicKey = ${one}\n`));
  });

  await t.test('addconf: peers are added to what is there', () => {
    wg.set('peer', one, 'allowed-ips', '10.99.1.1/32');
    wg.do('addconf', name, wg.file(`[Peer]\nPublicKey = ${two}\nAllowedIPs = 10.99.1.2/32\n`));
    assert.deepEqual([...wg.peers().keys()].sort(), [named, one, two].sort());
    reset();
  });

  await t.test('syncconf: only the differences; peers of the file must be in it', () => {
    wg.set('peer', one, 'allowed-ips', '10.99.1.1/32', 'peer', two, 'allowed-ips', '10.99.1.2/32');
    const shown = wg.do('showconf', name);
    wg.do('syncconf', name, wg.file(shown.replace(one, three).replace('10.99.1.1', '10.99.1.3')));
    assert.deepEqual([...wg.peers().keys()].sort(), [named, two, three].sort());
    const others = `[Interface]\nPrivateKey = ${privateKey}\n[Peer]\nPublicKey = ${two}\n`;
    wg.refused(/Operation not permitted/, 'syncconf', name, wg.file(others));
    assert.deepEqual([...wg.peers().keys()].sort(), [named, two, three].sort());
    reset();
  });

  await t.test(
    'what this wg cannot say: several operations in pieces, update_only, an allowed IP taken away',
    async () => {
      const hex = Buffer.from(one, 'base64').toString('hex');
      const said = [
        'get=1\n\n',
        `set=1\npublic_key=${hex}\nupdate_only=true\nallowed_ip=10.99.1.1/32\n\n`,
        `set=1\npublic_key=${hex}\nallowed_ip=10.99.1.1/32\nallowed_ip=10.99.1.2/32\n\n`,
        `set=1\npublic_key=${hex}\nallowed_ip=-10.99.1.1/32\nprotocol_version=1\n\n`,
        'set=1\nwhatever\n\n',
        `set=1\npublic_key=${hex}\nallowed_ip=10.99.1.2\n\n`,
        'get=1\n\n',
      ];
      const replies = await talk(path, said.join(''));
      const ends = [...replies.matchAll(/errno=(-?\d+)\n\n/g)].map((match) => Number(match[1]));
      assert.deepEqual(ends, [0, 0, 0, 0, -71, -22, 0]);
      assert.ok(!replies.slice(0, replies.indexOf('errno=')).includes(hex));
      assert.equal(wg.peers().get(one)!.ips, '10.99.1.2/32');
      reset();
    },
  );

  await t.test('a thousand peers in one file', () => {
    const many = Array.from({ length: 1000 }, (_, i) => {
      const key = Buffer.alloc(32, 1);
      key.writeUInt32BE(i, 8);
      return `[Peer]\nPublicKey = ${key.toString('base64')}\nAllowedIPs = 10.98.${i >> 8}.${i & 255}/32\n`;
    });
    wg.do('addconf', name, wg.file(many.join('')));
    assert.equal(wg.peers().size, 1001);
    wg.do('setconf', name, wg.file(`[Interface]\nPrivateKey = ${privateKey}\n`));
    assert.equal(wg.peers().size, 1);
  });
});

test(
  'what wg said survives the daemon and the engine; a socket that a killed daemon left is replaced',
  world,
  async (t) => {
    const it = await daemon(t);
    const { wg, name, path } = it;
    wg.set('peer', one, 'allowed-ips', '10.99.1.1/32', 'persistent-keepalive', '25');
    const before = wg.do('show', name, 'dump');
    it.child.process.kill('SIGKILL');
    await it.child.ended;
    assert.ok(existsSync(path));
    await it.start();
    assert.equal(wg.do('show', name, 'dump'), before, 'the engine was adopted');
    await it.gateway.stopEngine();
    wg.refused(/Connection timed out/, 'set', name, 'peer', two, 'allowed-ips', '10.99.1.2/32');
    await it.child.stop();
    assert.ok(!existsSync(path), 'it goes with the daemon');
    await it.start();
    await waitFor('the peer in a new engine', START_MS, async () => wg.peers().get(one)?.ips ?? null);
    assert.deepEqual([wg.peers().get(one)!.ips, wg.peers().get(one)!.keepalive], ['10.99.1.1/32', '25']);
    assert.equal(wg.peers().get(two)!.ips, '10.99.1.2/32', 'what could not be tried was stored');
    it.write([]);
    it.child.process.kill('SIGHUP');
    await waitFor('the socket to go with the interface', START_MS, async () => (existsSync(path) ? null : true));
    it.write(it.intents);
    it.child.process.kill('SIGHUP');
    const isBack = () => existsSync(path) && wg.peers().has(one);
    await waitFor('the interface and its peers to be back', START_MS, async () => isBack() || null);
  },
);

test('a stored peer of wg that cannot be read is told of, and wg can take it back', world, async (t) => {
  const it = await daemon(t);
  const { wg, name } = it;
  const failing = async () => (await it.gateway.stats()).failing.map(({ key, code }) => [key, code]);
  await it.child.stop();
  const database = new DatabaseSync(join(it.folder, 'data', 'vrouterd.db'));
  const put = database.prepare('INSERT INTO intents (source, key, body) VALUES (?, ?, ?)');
  for (const publicKey of [one, two, three]) {
    const body = { kind: 'peer', interface: name, publicKey, allowedIps: ['224.0.0.0/4'] };
    put.run('wg', `peer/${name}/${publicKey}`, JSON.stringify(body));
  }
  database.close();
  await it.start();
  const lost = (key: string) => [`peer/${name}/${key}`, 'prefix.invalid'];
  assert.deepEqual(await failing(), [lost(one), lost(two), lost(three)]);
  wg.set('peer', one, 'remove');
  wg.set('peer', two, 'allowed-ips', '10.99.1.2/32');
  assert.deepEqual(await failing(), [lost(three)]);
  const privateKey = wg.do('show', name, 'private-key').trim();
  wg.do('setconf', name, wg.file(`[Interface]\nPrivateKey = ${privateKey}\n`));
  assert.deepEqual(await failing(), []);
  assert.deepEqual([...wg.peers().keys()], [named]);
  await it.child.stop();
  await it.start();
  assert.deepEqual(await failing(), [], 'nor does it come back');
});

test(
  'an engine that stands still: show tells what was last known, set that it was not done in time',
  world,
  async (t) => {
    const it = await daemon(t);
    const { wg, name } = it;
    const before = wg.do('show', name, 'dump');
    const engine = (await it.gateway.status()).engine!.pid;
    process.kill(engine, 'SIGSTOP');
    try {
      const began = performance.now();
      assert.equal(wg.do('show', name, 'dump'), before);
      assert.ok(performance.now() - began < 10_000, 'it waited longer than anybody would');
      wg.refused(/Connection timed out/, 'set', name, 'peer', one, 'allowed-ips', '10.99.1.1/32');
      const trace = ['trace', '--seconds', '1'];
      const main = fileURLToPath(new URL('../programs/cli/main.ts', import.meta.url));
      const traced = spawnSync(process.execPath, [main, '--socket', it.gateway.socketPath, ...trace], {
        encoding: 'utf8',
        timeout: 20_000,
      });
      assert.match(traced.stderr, /not answered in time.*timeout/);
      assert.equal(traced.status, 1);
    } finally {
      process.kill(engine, 'SIGCONT');
    }
    await waitFor('what was stored', START_MS, async () => wg.peers().get(one)?.ips ?? null);
    assert.equal((await it.gateway.status()).engine!.pid, engine);
  },
);

test(
  "an allowed IP that is the gateway's own address is taken, as wg takes it, and the log says what that means",
  world,
  async (t) => {
    const { wg, folder } = await daemon(t);
    const log = (): string => readFileSync(join(folder, 'log'), 'utf8');
    wg.set('peer', one, 'allowed-ips', '10.99.0.0/25');
    assert.doesNotMatch(log(), /is an address of this gateway/);
    wg.set('peer', one, 'allowed-ips', '10.99.0.1/32');
    assert.equal(wg.peers().get(one)!.ips, '10.99.0.1/32');
    assert.match(log(), /"allowedIp":"10\.99\.0\.1\/32".*is an address of this gateway/);
  },
);

const goWorld = { skip: needs('root', 'netns', 'tun', 'wg', 'wireguard-go', 'ip') };

test(
  'the socket of a wireguard-go of the same name is left alone; ours is linked by the command that is shown',
  goWorld,
  async (t) => {
    const it = new Daemon();
    const shared = it.path;
    spawnSync('ip', ['netns', 'add', it.name]);
    const args = ['netns', 'exec', it.name, 'wireguard-go', '-f', it.name];
    const go = new Child({ name: 'wireguard-go', command: 'ip', args, logPath: join(it.folder, 'go.log') });
    t.after(async () => {
      await go.stop();
      spawnSync('ip', ['netns', 'del', it.name]);
      await it.stop();
      rmSync(shared, { force: true });
    });
    await waitFor('the socket of wireguard-go', START_MS, async () => {
      if (go.hasEnded) throw go.failure('ended');
      return existsSync(shared) || null;
    });
    it.path = join(it.folder, 'data', 'wireguard', `${it.name}.sock`);
    await it.start();
    const peersThere = () => spawnSync('wg', ['show', it.name, 'peers'], { encoding: 'utf8' });
    assert.deepEqual([peersThere().status, peersThere().stdout], [0, ''], 'wireguard-go has none');
    assert.deepEqual([...it.wg.peers().keys()], [named]);
    const [, command] = /as root:\n {2}(.*)\n/.exec(vrouterctl(it.gateway.socketPath, 'show', 'interfaces')) ?? [];
    assert.equal(command, `mkdir -p /var/run/wireguard && ln -s ${it.path} /var/run/wireguard/`);
    await go.stop();
    assert.ok(!existsSync(shared), 'wireguard-go takes its own away');
    assert.equal(spawnSync('sh', ['-c', command]).status, 0);
    assert.equal(peersThere().stdout.trim(), named);
  },
);

test('an interface of the controller: what is shown, what is refused, what can be added', world, async (t) => {
  await withNetwork({ wireguardGo: false }, async (network) => {
    const [alice, bob] = network.peers;
    await exchange(alice!, bob!, { run: 1, count: 100, size: 200, pps: 500, patienceMs: 5000 });
    const rows = await network.gateway.peers();
    const held = rows.find((row) => row.name === 'alice')!;
    const name = held.interface;
    const socket = await waitFor('the socket of wg', START_MS, async () => socketOf(network.gateway, name));
    mkdirSync(network.path('wg'));
    const wg = new Wg(name, network.path('wg'), () => socket);

    await t.test('show: where peers are heard, when they shook hands, what passed', () => {
      const seen = wg.peers().get(held.publicKey)!;
      assert.equal(seen.endpoint, held.endpoint);
      assert.equal(seen.handshake, Math.floor(held.lastHandshakeUnixMs! / 1000));
      assert.ok(seen.rx >= 100 * 200);
      assert.equal(seen.ips.split(',').sort().join(), [...held.allowedIps].sort().join());
    });

    await t.test('peers of the controller are not changed, and nothing of a refused operation is done', () => {
      const peers = wg.do('show', name, 'allowed-ips');
      const rules = [
        ['persistent-keepalive', '7'],
        ['allowed-ips', '10.50.0.0/16'],
        ['endpoint', '127.0.0.1:9'],
        ['remove'],
      ];
      for (const rule of rules)
        wg.refused(/Operation not permitted/, 'set', name, 'peer', one, 'peer', held.publicKey, ...rule);
      const taken = held.allowedIps[0]!;
      wg.refused(/Device or resource busy/, 'set', name, 'peer', one, 'allowed-ips', taken);
      wg.refused(/Operation not permitted/, 'set', name, 'listen-port', '7');
      wg.refused(/Operation not permitted/, 'set', name, 'fwmark', '7');
      assert.equal(wg.do('show', name, 'allowed-ips'), peers);
    });

    await t.test('setconf is refused, syncconf of what is shown passes', () => {
      const shown = wg.file(wg.do('showconf', name));
      wg.refused(/Operation not permitted/, 'setconf', name, shown);
      wg.do('syncconf', name, shown);
    });

    await t.test('a peer of wg is added, shown as such, and disturbs nobody', async () => {
      const handshakes = rows.map((row) => row.lastHandshakeUnixMs);
      wg.set('peer', one, 'allowed-ips', '10.50.0.1/32', 'endpoint', '127.0.0.1:9');
      wg.set('peer', one, 'endpoint', '127.0.0.1:10');
      const now = await network.gateway.peers();
      const added = now.find((row) => row.publicKey === one)!;
      assert.deepEqual([added.source, added.endpoint], ['wg', '127.0.0.1:10']);
      const result = await exchange(alice!, bob!, { run: 2, count: 100, size: 200, pps: 500, patienceMs: 5000 });
      assert.equal(result.delivered, result.sent);
      const others = (await network.gateway.peers()).filter((row) => row.publicKey !== one);
      assert.deepEqual(
        others.map((row) => row.lastHandshakeUnixMs),
        handshakes,
      );
      wg.set('peer', one, 'remove');
      await delay(10);
      assert.ok(!(await network.gateway.peers()).some((row) => row.publicKey === one));
    });
  });
});
