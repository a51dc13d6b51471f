/** Networks of several sources on a host that has networks itself: nobody takes what another has, whoever says it, and people are told where they look. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { HostWorld, skip } from './world.ts';

interface Network {
  readonly id: string;
  readonly prefix: string;
  readonly gateway: string;
}

/** What the daemon does within its five seconds, with a second for the test itself. */
const WITHIN_MS = 8000;

function fileOf(networks: readonly Network[]): string {
  const intents = networks.map(({ id, prefix, gateway }) =>
    JSON.stringify({
      kind: 'network',
      id,
      attachment: 'bridged',
      interface: `br-${id}`,
      subnets: [{ prefix, gateway }],
    }),
  );
  return `cat > networks.yaml <<END\nplane: linux\ndata: /var/lib/vrouter\nintents: [${intents.join(', ')}]\nEND\n`;
}
const inLan = { id: 'lan', prefix: '192.0.2.0/25', gateway: '192.0.2.100' };
const inBlue = { id: 'inblue', prefix: '172.18.4.0/24', gateway: '172.18.4.1' };
const filed = { id: 'filed', prefix: '172.25.0.0/24', gateway: '172.25.0.1' };

describe('networks beside each other and the host’s own', { skip }, () => {
  const world = new HostWorld();
  const type = (text: string, fails = false) => world.type({ text: `${text}\n`, fails });
  /** Until the command prints this. */
  async function until(command: string, what: RegExp): Promise<void> {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const printed = await type(command);
      if (what.test(printed)) return;
      assert.ok(performance.now() < deadline, `${command} printed\n${printed}\n${world.daemonLog()}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  const say = async (...networks: readonly Network[]): Promise<void> => {
    await type(`${fileOf(networks)}kill -HUP $daemon`);
  };
  const reaches = (): Promise<string> =>
    type('ping -c 1 -W 5 192.0.2.2 >/dev/null && ip netns exec other ping -c 1 -W 5 192.0.2.1 >/dev/null');

  before(
    async () => {
      await world.start();
      await type(`mkdir -p /var/lib/vrouter\nip route add default via 192.0.2.2\n${fileOf([])}`);
      await world.type({
        text: 'node_modules/.bin/node programs/vrouterd/main.ts --config networks.yaml\n',
        where: 'daemon',
      });
      await type(
        'export VROUTER_SOCKET=/var/lib/vrouter/vrouterd.sock\n./vrouterctl network create blue --subnet 172.18.0.0/16',
      );
    },
    { timeout: 60_000 },
  );
  after(() => world.stop());

  test('of the file, one in the LAN and one in another network are problems by name, and nothing of them is made', async () => {
    await say(inLan, inBlue, filed);
    await until('./vrouterctl network list', /^filed +br-filed +up .* file +-$/m);
    const list = await type('./vrouterctl network list');
    assert.match(
      list,
      /^lan +br-lan +down +192\.0\.2\.0\/25 .* file +192\.0\.2\.0\/25 overlaps 192\.0\.2\.0\/24 of eth0 of this host/m,
    );
    assert.match(
      list,
      /^inblue +br-inblue +down .* file +172\.18\.4\.0\/24 overlaps 172\.18\.0\.0\/16 of cli network\/blue/m,
    );
    assert.match(list, /^blue +br-blue +up .* cli +-$/m);
    assert.match(
      await type('./vrouterctl network show lan'),
      /^network\/lan +network\.overlap +192\.0\.2\.0\/25 overlaps/m,
    );
    await type('ip link show br-lan || ip link show br-inblue', true);
    await reaches();
    assert.match(world.daemonLog(), /"level":40.*"key":"network\/lan","code":"network\.overlap"/);
  });

  test('the command line is refused the same', async () => {
    for (const [subnet, why] of [
      ['172.25.0.128/25', /172\.25\.0\.0\/24 of network filed \(the configuration file\)/],
      ['192.0.2.128/25', /192\.0\.2\.0\/24 of eth0 of this host/],
    ] as const)
      assert.match(await type(`./vrouterctl network create x --subnet ${subnet} 2>&1 || true`), why);
  });

  test('a host that gains a network later cuts off nobody, also over a restart; one that waits is made when the host loses it', async () => {
    await type('ip link add eth9 type bridge\nip link set eth9 up\nip address add 172.25.0.129/25 dev eth9');
    await world.killDaemon();
    await world.startDaemon();
    await until('./vrouterctl network list', /^filed +br-filed +up .* file +-$/m);
    assert.match(await type('./vrouterctl show plan'), /nothing to do/);
    await type('ip link delete eth9');
    await say({ ...filed, id: 'renamed' }, inBlue);
    await until('./vrouterctl network list', /^renamed +br-renamed +up .* file +-$/m);
    await type('ip link add eth9 type bridge\nip link set eth9 up\nip address add 10.99.0.1/16 dev eth9');
    await say({ id: 'late', prefix: '10.99.7.0/24', gateway: '10.99.7.1' });
    await until(
      './vrouterctl network list',
      /^late .*10\.99\.7\.0\/24 overlaps 10\.99\.0\.0\/16 of eth9 of this host/m,
    );
    await type('ip link delete eth9');
    await until('./vrouterctl network list', /^late +br-late +up .* file +-$/m);
  });

  test('who changes the file while the daemon is away has the new network at once, in the old one’s subnet', async () => {
    await world.killDaemon();
    await type(fileOf([{ id: 'later', prefix: '10.99.7.0/24', gateway: '10.99.7.1' }]));
    await world.startDaemon();
    await until('./vrouterctl network list', /^later +br-later +up .* file +-$/m);
    await type('ip link show br-late', true);
    assert.doesNotMatch(world.daemonLog(), /"key":"network\/later"/);
  });

  test('ports of a network that has left the file are seen, told, and taken away', async () => {
    await say(filed);
    await until('./vrouterctl network list', /^filed +br-filed +up/m);
    await type(
      './vrouterctl network publish filed 9950:172.25.0.2:80\n./vrouterctl network name add filed web 172.25.0.2',
    );
    await say();
    await until(
      './vrouterctl network ports filed',
      /^filed +tcp\/9950 .* cli +there is no working network "filed" yet/m,
    );
    assert.match(await type('./vrouterctl network names filed'), /^filed +web/m);
    assert.match(
      await type('./vrouterctl network unpublish filed 9950'),
      /unpublished tcp\/0\.0\.0\.0:9950 to 172\.25\.0\.2:80/,
    );
    await type('./vrouterctl network name remove filed web\n./vrouterctl network publish blue 9950:172.18.0.2:80');
  });

  test('unpublish takes the one that it names', async () => {
    await type('./vrouterctl network publish blue 192.0.2.1:9950:172.18.0.3:80');
    await type('./vrouterctl network unpublish blue 9950:172.18.0.3:80', true);
    await type('./vrouterctl network unpublish blue 9950:172.18.0.99:1', true);
    await type('./vrouterctl network unpublish blue 192.0.2.1:9950:172.18.0.3:80');
    assert.match(await type('./vrouterctl network ports'), /^blue +tcp\/9950 +0\.0\.0\.0 +172\.18\.0\.2:80/m);
  });

  test('a conflict with the file, and another firewall that drops, are problems of the network', async () => {
    await say({ id: 'blue', prefix: '172.26.0.0/24', gateway: '172.26.0.1' });
    await until('./vrouterctl network list', /^blue .* file network\/blue says otherwise than cli network\/blue/m);
    assert.match(world.daemonLog(), /"level":40.*"key":"network\/blue","code":"intent\.conflict"/);
    await say();
    await until('./vrouterctl network list', /^blue +br-blue +up .* cli +-$/m);
    await type(
      'nft "add table ip other; add chain ip other forward { type filter hook forward priority 0; policy drop; }"',
    );
    await until('./vrouterctl network list', /^blue .*The chain|^blue .*the chain "ip other forward"/m);
    assert.match(await type('./vrouterctl network show blue'), /^isolation\/br-blue +forward\.dropped/m);
    await type('nft delete table ip other');
    await until('./vrouterctl network list', /^blue +br-blue +up .* cli +-$/m);
  });
});
