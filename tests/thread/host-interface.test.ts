/**
 * An interface of the machine that its controller asks for: refused until the machine's owner agrees, gone when they agree no more.
 * Controller, daemon and engine run in a network namespace of their own, so the machine here stays as it is.
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
const namespace = `vrsaid${process.pid}`;
const REST = 18_080;

test('a host interface from afar waits for the word of the machine’s owner', {
  skip: needs('root', 'netns', 'tun', 'ip'),
  timeout: 90_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-said-'));
  const ip = (...args: string[]): string => execFileSync(programPath('ip')!, args, { encoding: 'utf8' });
  const inside = (name: string, ...args: string[]): Child =>
    new Child({
      name,
      command: programPath('ip')!,
      args: ['netns', 'exec', namespace, process.execPath, join(programs, name, 'main.ts'), ...args],
      logPath: join(folder, `${name}.log`),
    });
  const socket = join(folder, 'gateway', 'vrouterd.sock');
  const cli = (...args: string[]): Promise<string> => {
    const env = { ...process.env, VROUTER_SOCKET: socket, VROUTER_CONTROLLER: `http://127.0.0.1:${REST}` };
    const token = ['--token-file', join(folder, 'controller', 'admin-token')];
    const argv = ['netns', 'exec', namespace, process.execPath, join(programs, 'cli/main.ts'), ...token, ...args];
    return new Promise((resolve, reject) => {
      execFile(programPath('ip')!, argv, { env }, (error, out, err) => (error === null ? resolve(out) : reject(err)));
    });
  };
  const until = (what: string, ask: () => Promise<boolean>): Promise<unknown> =>
    waitFor(what, 20_000, async () => ((await ask()) ? true : null));
  const config = join(folder, 'vrouterd.yaml');
  const agree = (hostInterface: boolean): void =>
    writeFileSync(config, `plane: userspace\ndata: ${folder}/gateway\nallow: { hostInterface: ${hostInterface} }\n`);
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

    await cli('host-interface', 'add', 'v', 'host0', '--address', '10.99.0.1/24', '--route', '10.77.0.0/24');
    const problem = (): Promise<string> => cli('host-interface', 'list', 'v').then((out) => out.split('\n')[1]!);
    await until('the refusal', async () => (await problem()).includes('intent.refused'));
    const links = (): string => ip('-n', namespace, 'link');
    assert.doesNotMatch(links(), /host0/);

    agree(true);
    daemon.process.kill('SIGHUP');
    await until('the interface', async () => links().includes('host0'));
    await until('its end of the refusal', async () => / -$/.test(await problem()));
    assert.match(ip('-n', namespace, 'addr', 'show', 'dev', 'host0'), /inet 10\.99\.0\.1\/24/);
    assert.match(ip('-n', namespace, 'route'), /10\.77\.0\.0\/24 dev host0/);

    agree(false);
    daemon.process.kill('SIGHUP');
    await until('no interface', async () => !links().includes('host0'));
    await until('the refusal again', async () => (await problem()).includes('intent.refused'));
  } finally {
    // The engine outlives its daemon, so it is stopped first.
    await cli('engine', 'stop').catch(() => {});
    for (const child of children.reverse()) await child.stop();
    ip('netns', 'del', namespace);
    rmSync(folder, { recursive: true, force: true });
  }
});
