/**
 * A machine of its own for a program, emulated by QEMU: Debian's kernel with all its modules, WireGuard among them. It sees the files of this
 * machine (virtiofs), writes to memory alone, and has no network. Boots in half a minute.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CpioEntry, cpio, FOLDER, PROGRAM } from './cpio.ts';
import { initLines, type KernelRun, runOf } from './init.ts';
import { needs, programPath } from './needs.ts';

/** Where `scripts/worlds.ts` unpacks Debian's kernel: `boot/vmlinuz-…`, `lib/modules/…`. */
export const GUEST_KERNEL = new URL('../../.cache/peers/linux', import.meta.url).pathname;
const VIRTIOFSD = '/usr/lib/qemu/virtiofsd';
const LIMIT_MS = 480_000;
/** What it takes to reach the files of this machine. */
const FIRST_MODULES = ['virtio_pci', 'virtiofs'];

/** As `needs`. */
export function needsGuest(): string | false {
  const missing = needs('root', 'qemu-system-x86_64', 'busybox', 'modprobe', 'depmod', 'ip');
  if (missing !== false) return missing;
  if (!existsSync(VIRTIOFSD)) return 'no virtiofsd';
  return existsSync(join(GUEST_KERNEL, 'boot')) ? false : 'no kernel for guests';
}

/** Boots, loads the modules, runs the program with node and turns everything off. `args` go to the program. */
export async function runInGuest(
  modules: readonly string[],
  program: string,
  ...args: readonly string[]
): Promise<KernelRun> {
  const guest = await startGuest({ modules, command: [process.execPath, program, ...args] });
  const late = setTimeout(() => guest.end(), LIMIT_MS);
  const run = await guest.ended;
  clearTimeout(late);
  await guest.end();
  return run;
}

export interface GuestOptions {
  readonly modules: readonly string[];
  /** What runs there; with its end everything is turned off. */
  readonly command: readonly string[];
  /** Further arguments of QEMU; told the guest's folder. */
  readonly devices?: (folder: string) => readonly string[];
}

export interface Guest {
  /** For its sockets; gone at the end. */
  readonly folder: string;
  readonly ended: Promise<KernelRun>;
  /** Turns it off when it still runs, and leaves nothing. Idempotent. */
  end(): Promise<void>;
}

/** Begins to boot. Whoever calls must call `end`. */
export async function startGuest({ modules, command, devices }: GuestOptions): Promise<Guest> {
  const folder = mkdtempSync(join(tmpdir(), 'guest-'));
  const children: ChildProcess[] = [];
  const end = async (): Promise<void> => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const release = readdirSync(join(GUEST_KERNEL, 'lib/modules'))[0]!;
    if (!existsSync(join(GUEST_KERNEL, 'lib/modules', release, 'modules.dep')))
      execFileSync(programPath('depmod')!, ['-b', GUEST_KERNEL, release]);
    const init = join(folder, 'init');
    writeFileSync(init, initLines({ mounts: [], modulesIn: GUEST_KERNEL, modules, command }), { mode: 0o755 });
    const initrd = join(folder, 'initrd');
    writeFileSync(initrd, firstFiles(release, init));
    const socket = join(folder, 'files');
    const files = spawn(VIRTIOFSD, [`--socket-path=${socket}`, '-o', 'source=/,cache=always,sandbox=chroot'], {
      stdio: 'ignore',
    });
    children.push(files);
    for (let waited = 0; !existsSync(socket); waited += 20) {
      if (waited > 10_000 || files.exitCode !== null) throw new Error('virtiofsd does not start');
      await sleep(20);
    }
    const more = devices?.(folder) ?? [];
    const guest = spawn(programPath('qemu-system-x86_64')!, [...qemuArguments(release, initrd, socket), ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(guest);
    let output = '';
    for (const stream of [guest.stdout, guest.stderr]) stream.on('data', (text) => (output += text));
    return { folder, ended: once(guest, 'close').then(() => runOf(output)), end };
  } catch (thrown) {
    await end();
    throw thrown;
  }
}

/** One processor: with two, V8 falls over the code that another of its threads is writing, in one start of ten. */
function qemuArguments(release: string, initrd: string, socket: string): string[] {
  const memory = 'size=1024M';
  return [
    ...['-machine', 'q35,accel=tcg', '-cpu', 'max', '-smp', '1', '-m', '1024'],
    ...['-object', `memory-backend-memfd,id=memory,${memory},share=on`, '-numa', 'node,memdev=memory'],
    ...['-chardev', `socket,id=files,path=${socket}`, '-device', 'vhost-user-fs-pci,chardev=files,tag=host'],
    ...['-kernel', join(GUEST_KERNEL, 'boot', `vmlinuz-${release}`), '-initrd', initrd],
    ...['-append', 'console=ttyS0 quiet panic=-1', '-nodefaults', '-nographic', '-no-reboot', '-serial', 'stdio'],
  ];
}

/** What the kernel starts with: enough to find this machine's files and go on from there. */
function firstFiles(release: string, init: string): Uint8Array {
  const modules = join(GUEST_KERNEL, 'lib/modules', release);
  const needed = withNeeded(readFileSync(join(modules, 'modules.dep'), 'utf8'), FIRST_MODULES);
  const script = `#!/busybox sh
for place in proc:proc sysfs:sys devtmpfs:dev; do /busybox mount -t \${place%:*} none /\${place#*:}; done
for module in ${needed.map((path) => basename(path)).join(' ')}; do /busybox insmod /$module; done
/busybox mount -t virtiofs -o ro host /new
for place in proc sys dev; do /busybox mount -o move /$place /new/$place; done
exec /busybox switch_root /new ${init}
`;
  const files: CpioEntry[] = [
    { name: 'init', mode: PROGRAM, content: new TextEncoder().encode(script) },
    { name: 'busybox', mode: PROGRAM, content: readFileSync(programPath('busybox')!) },
    ...needed.map((path) => ({ name: basename(path), mode: PROGRAM, content: readFileSync(join(modules, path)) })),
  ];
  return cpio([...['proc', 'sys', 'dev', 'new'].map((name) => ({ name, mode: FOLDER })), ...files]);
}

/** Files of the modules and of those that they need, which come first (modules.dep(5)). */
function withNeeded(dependencies: string, names: readonly string[]): readonly string[] {
  const lines = dependencies.split('\n').map((line) => line.split(/:? /).filter((path) => path !== ''));
  const needed = names.flatMap((name) => lines.find(([path]) => basename(path ?? '', '.ko') === name)!.toReversed());
  return [...new Set(needed)];
}
