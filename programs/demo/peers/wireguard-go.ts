/**
 * A peer that is wireguard-go: its UDP socket stays here, its TUN is moved into a network namespace of its own, where the kernel's IP
 * stack and plain sockets are the far end. Needs root, ip(8), wg(8) and wireguard-go.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import { Child } from '../world/child.ts';
import type { Leftovers } from '../world/leftovers.ts';
import { waitFor } from '../world/wait.ts';
import type { DemoPeer } from './kinds.ts';
import { PeerProcess } from './peer-process.ts';
import { parseWgQuickFile } from './wg-quick-file.ts';

const run = promisify(execFile);
const kernelProgram = fileURLToPath(new URL('./kernel-main.ts', import.meta.url));

/** Whether a wireguard-go peer can be had here: as root, where it is installed. */
export async function hasWireguardGo(): Promise<boolean> {
  if (process.getuid?.() !== 0 || !existsSync('/dev/net/tun')) return false;
  try {
    await run('sh', ['-c', 'command -v wireguard-go && command -v wg && command -v ip']);
    // Some containers have root without the right to make namespaces.
    const probe = `vrprobe${process.pid}`;
    await run('ip', ['netns', 'add', probe]);
    await run('ip', ['netns', 'del', probe]);
    return true;
  } catch {
    return false;
  }
}

export async function startWireguardGoPeer(
  name: string,
  filePath: string,
  logPath: string,
  leftovers: Leftovers,
): Promise<DemoPeer> {
  const file = parseWgQuickFile(readFileSync(filePath, 'utf8'));
  const link = `vrdemo${process.pid}`.slice(0, 15);
  const namespace = link;
  const inside = (...args: string[]): Promise<unknown> => run('ip', ['-n', namespace, ...args]);
  const daemon = new Child({
    name: 'wireguard-go',
    command: 'wireguard-go',
    args: ['-f', link],
    logPath,
    env: { ...process.env, WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' },
  });
  leftovers.noteProcess(daemon.pid);
  try {
    await waitFor('wireguard-go', 5000, async () => {
      if (daemon.hasEnded) throw daemon.failure('ended');
      return existsSync(`/var/run/wireguard/${link}.sock`) && existsSync(`/sys/class/net/${link}`) ? true : null;
    });
    await configure(link, filePath);
    leftovers.noteNamespace(namespace);
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['link', 'set', link, 'netns', namespace]);
    await inside('link', 'set', 'lo', 'up');
    const addresses: string[] = [];
    for (const text of file.addresses.map(formatPrefix)) {
      // No duplicate address detection: nobody else is on a tunnel, and a tentative address cannot be bound.
      await inside('addr', 'add', text, 'dev', link, ...(text.includes(':') ? ['nodad'] : []));
      addresses.push(text.slice(0, text.indexOf('/')));
    }
    await inside('link', 'set', link, 'up', 'mtu', String(file.mtu));
    for (const prefix of file.peers.flatMap((peer) => peer.allowedIps))
      await inside('route', 'replace', formatPrefix(prefix), 'dev', link);
    const traffic = new Child({
      name: `peer ${name}`,
      command: 'ip',
      args: ['netns', 'exec', namespace, process.execPath, kernelProgram, ...addresses],
      logPath,
      talks: true,
    });
    const peer = new PeerProcess(traffic);
    await peer.ready();
    return {
      name,
      program: 'wireguard-go',
      addresses,
      send: (what) => peer.send(what),
      ping: (to, count) => pingInside(namespace, to, count),
      report: async () => ({ ...(await peer.report()), ...(await transfer(link)) }),
      async stop() {
        await traffic.stop();
        await daemon.stop();
        await run('ip', ['netns', 'del', namespace]).catch(() => {});
      },
    };
  } catch (thrown) {
    await daemon.stop();
    await run('ip', ['netns', 'del', namespace]).catch(() => {});
    throw thrown;
  }
}

/** What wg-quick(8) leaves for wg(8): `wg-quick strip`, without needing bash. */
async function configure(link: string, filePath: string): Promise<void> {
  const stripped = readFileSync(filePath, 'utf8').replace(/^\s*(Address|DNS|MTU|Table)\s*=.*$/gim, '');
  const folder = mkdtempSync(join(tmpdir(), 'vrdemo-'));
  try {
    const path = join(folder, 'wg.conf');
    writeFileSync(path, stripped, { mode: 0o600 });
    await run('wg', ['setconf', link, path]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function transfer(link: string): Promise<{ rxBytes: number; txBytes: number; handshakes: null }> {
  const { stdout } = await run('wg', ['show', link, 'transfer']);
  const [, rx, tx] = stdout.trim().split('\t');
  return { rxBytes: Number(rx), txBytes: Number(tx), handshakes: null };
}

async function pingInside(namespace: string, to: string, count: number): Promise<readonly number[]> {
  const { stdout } = await run('ip', ['netns', 'exec', namespace, 'ping', '-n', '-i0.2', '-W1', `-c${count}`, to]);
  return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}
