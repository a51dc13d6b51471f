/**
 * A port into an Ethernet that the controller asks for: refused until the machine's owner agrees, then real hosts are reached by it; and
 * changes in place reach the plane. Controller, daemon and engine run in a network namespace of their own.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../../programs/demo/world/child.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { needs, programPath } from '../world/needs.ts';

const programs = fileURLToPath(new URL('../../programs/', import.meta.url));
const namespace = `vrport${process.pid}`;
const REST = 18_080;
const KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';

test('a port from afar waits for the word of the machine’s owner, and changes in place arrive', {
  skip: needs('root', 'netns', 'tun', 'ip', 'ping'),
  timeout: 90_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-port-'));
  const ip = (...args: string[]): string => execFileSync(programPath('ip')!, args, { encoding: 'utf8' });
  const inside = (name: string, ...args: string[]): Child =>
    new Child({
      name,
      command: programPath('ip')!,
      args: ['netns', 'exec', namespace, process.execPath, join(programs, name, 'main.ts'), ...args],
      logPath: join(folder, `${name}.log`),
    });
  const socket = join(folder, 'gateway', 'vrouterd.sock');
  const run = (command: string, ...args: string[]): Promise<string> => {
    const env = { ...process.env, VROUTER_SOCKET: socket, VROUTER_CONTROLLER: `http://127.0.0.1:${REST}` };
    const argv = ['netns', 'exec', namespace, command, ...args];
    return new Promise((resolve, reject) => {
      execFile(programPath('ip')!, argv, { env }, (error, out, err) =>
        error === null ? resolve(out) : reject(new Error(err || out)),
      );
    });
  };
  const token = ['--token-file', join(folder, 'controller', 'admin-token')];
  const cli = (...args: string[]): Promise<string> =>
    run(process.execPath, join(programs, 'cli/main.ts'), ...token, ...args);
  const until = (what: string, ask: () => Promise<boolean>): Promise<unknown> =>
    waitFor(what, 20_000, async () => ((await ask()) ? true : null));
  const config = join(folder, 'vrouterd.yaml');
  const agree = (port: boolean): void =>
    writeFileSync(config, `plane: userspace\ndata: ${folder}/gateway\nallow: { port: ${port} }\n`);
  const children: Child[] = [];
  ip('netns', 'add', namespace);
  try {
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    const listeners = ['--rest', `127.0.0.1:${REST}`, '--agents', '127.0.0.1:18443'];
    children.push(inside('controller', '--data', join(folder, 'controller'), ...listeners));
    await until('the controller', () => cli('version').then(() => true));
    const { join: joining } = JSON.parse(await cli('vrouter', 'create', 'v', '--json')) as { join: { string: string } };
    agree(false);
    const daemon = inside('vrouterd', '--config', config, '--join', joining.string);
    children.push(daemon);
    await until('the gateway', () => cli('show', 'interfaces').then((out) => out.includes('wg0')));

    await cli('port', 'add', 'v', 'lan', '--tap', 'lan0', '--address', '192.168.1.1/24');
    const problem = (): Promise<string> => cli('port', 'list', 'v').then((out) => out.split('\n')[1]!);
    await until('the refusal', async () => (await problem()).includes('intent.refused'));
    const links = (): string => ip('-n', namespace, 'link');
    assert.doesNotMatch(links(), /lan0/);

    agree(true);
    daemon.process.kill('SIGHUP');
    await until('the TAP', async () => links().includes('lan0'));
    await until('the end of the refusal', async () => / -$/.test(await problem()));
    ip('-n', namespace, 'addr', 'add', '192.168.1.2/24', 'dev', 'lan0');
    ip('-n', namespace, 'link', 'set', 'lan0', 'up');
    const ping = (): Promise<boolean> =>
      run(programPath('ping')!, '-c', '1', '-W', '1', '-I', 'lan0', '192.168.1.1').then(
        () => true,
        () => false,
      );
    await until('the gateway answers on the Ethernet', ping);

    await cli('peer', 'add', 'v', 'office', '--public-key', KEY, '--allowed-ips', '10.5.0.0/16');
    await cli('peer', 'set', 'v', 'office', '--allowed-ips', '10.6.0.0/16', '--keepalive', '25');
    await cli('vrouter', 'set', 'v', '--listen-port', '51999', '--mtu', '1380', '--add-network', '10.78.0.0/24');
    await until('the changes', async () => {
      const interfaces = await cli('show', 'interfaces', '--json');
      const peers = await cli('show', 'peers', '--json');
      return (
        ['51999', '1380', '10.78.0.1/24'].every((one) => interfaces.includes(one)) &&
        ['10.6.0.0/16', '10.78.0.2/32'].every((one) => peers.includes(one)) &&
        !peers.includes('10.5.0.0/16')
      );
    });

    await cli('port', 'remove', 'v', 'lan');
    await until('no TAP', async () => !links().includes('lan0'));
  } finally {
    // The engine outlives its daemon, so it is stopped first.
    await cli('engine', 'stop').catch(() => {});
    for (const child of children.reverse()) await child.stop();
    ip('netns', 'del', namespace);
    rmSync(folder, { recursive: true, force: true });
  }
});
