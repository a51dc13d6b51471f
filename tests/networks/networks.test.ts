/** docs/networks.md, typed as it is written: a real vrouterd, its command line, and hosts in namespaces that ping, dig and curl. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Block, blocksOf, HostWorld, skip } from './world.ts';

const blocks = blocksOf(join(import.meta.dirname, '../../docs/networks.md'));

/** What the block with this command prints, besides that it succeeds, or fails where it is to. */
const expected: readonly (readonly [command: RegExp, output: RegExp])[] = [
  [/network create blue/, /created blue: bridge br-blue, 172\.18\.0\.0\/16 \(gateway 172\.18\.0\.1\)/],
  [/network create blue/, /^blue +br-blue +up +172\.18\.0\.0\/16 +outside, as the host/m],
  [/network name add blue/, /^172\.18\.0\.3\n172\.18\.0\.3$/m],
  [/network name add green/, /^fd19::2$/m],
  [/publish blue 8000-8009/, /^blue +udp\/8000-8009 +0\.0\.0\.0 +172\.18\.0\.2:8000-8009 +cli +-$/m],
  [/publish blue 8000-8009/, /^blue +sctp\/36412 +0\.0\.0\.0 +172\.18\.0\.2:36412 +cli +-$/m],
  [/--force --dry-run/, /delete +link\/br-green +CUTS OFF/],
  [
    /^\S+ network delete blue\n$/,
    /network\/blue is used by .* and 2 more: remove them first; --force takes them along/,
  ],
  [/network delete lab/, /there are no networks/],
  [/"create": true/, /"key":"network\/red","source":"cli"/],
];

/** An echo of UDP in a container, and somebody elsewhere who asks. */
const echo = `require('dgram').createSocket('udp4').on('message',function(m,r){this.send('echo '+m,r.port,r.address)}).bind(8005)`;
const ask = `const s=require('dgram').createSocket('udp4');s.on('message',(m)=>{console.log(String(m));process.exit()});s.send('hello',8005,'192.0.2.1');setTimeout(()=>process.exit(1),3000)`;

describe('docs/networks.md', { skip }, () => {
  const world = new HostWorld();
  const seen = new Map<Block, string>();
  before(() => world.start(), { timeout: 30_000 });
  after(() => world.stop());

  async function typeUntil(command: string): Promise<void> {
    for (const block of blocks) {
      if (seen.has(block)) continue;
      if (block.text.includes(command)) return;
      const printed = await world.type(block);
      seen.set(block, printed);
      for (const [part, output] of expected)
        if (part.test(block.text)) assert.match(printed, output, `line ${block.line}`);
    }
  }

  test('from nothing to published ports, as it is written', async () => {
    await typeUntil('network unpublish blue 192.0.2.1:9090');
    assert.match(
      await world.type({ text: 'nft list map inet vrouter port4.default\n' }),
      /sctp \. 36412 comment "[^"]*" : 172\.18\.0\.2 \. 36412/,
    );
  });

  test('a range of UDP ports leads to the same ports inside', async () => {
    const node = 'node_modules/.bin/node';
    await world.type({ text: `ip netns exec web ${node} -e "${echo}" & sleep 0.5\n` });
    const printed = await world.type({ text: `ip netns exec other ${node} -e "${ask}"\n` });
    assert.match(printed, /echo hello/);
  });

  test('kill -9: connections go on, and what was said is there again', async () => {
    const list = 'vrouterctl network list; ./vrouterctl network ports; ./vrouterctl network names';
    const before = await world.type({ text: `./${list}\n` });
    await world.killDaemon();
    await world.type({ text: 'curl -sf -o /dev/null http://192.0.2.1:8080/\n', where: 'elsewhere' });
    await world.startDaemon();
    assert.equal(await world.type({ text: `./${list}\n` }), before);
    assert.match(await world.type({ text: './vrouterctl show plan\n' }), /nothing to do/);
  });

  test('who reaches whom, removal, and the API, as they are written', async () => {
    await typeUntil('nothing has this text');
    assert.equal(seen.size, blocks.length);
  });

  test('nothing is left on the host', async () => {
    const printed = await world.type({
      text: 'ip -br link show type bridge; nft list tables; ls /run/vrouter/names; pgrep -a dnsmasq || echo none\n',
    });
    assert.doesNotMatch(printed, /br-(blue|green|lab|red)/);
    assert.match(printed, /none/);
  });
});

test('every command of docs/networks.md that changes something is in a block that is typed', () => {
  const typed = blocks.map(({ text }) => text).join('');
  for (const verb of [
    'create',
    'list',
    'show',
    'publish',
    'ports',
    'unpublish',
    'name add',
    'name remove',
    'names',
    'delete',
  ])
    assert.ok(
      typed.includes(`./vrouterctl network ${verb} `) || typed.includes(`./vrouterctl network ${verb}\n`),
      verb,
    );
});
