/**
 * A Linux kernel as an ordinary process (user-mode Linux), for what the kernel of a machine may lack: VLANs, VRFs, VSOCK and others. It sees
 * the machine's files, read-only, and has interfaces of its own alone; what a program writes there goes to memory and is gone with it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, programPath } from './needs.ts';

const MODULES = '/usr/lib/uml/modules';
const STATUS = 'uml-status';
/** It boots in five seconds. */
const LIMIT_MS = 120_000;

export interface UmlRun {
  /** Exit code of the program; null: the kernel ended without it. */
  readonly status: number | null;
  /** What kernel and program said. */
  readonly output: string;
}

/** As `needs`. */
export function needsUml(): string | false {
  return needs('linux.uml', 'modprobe', 'mount', 'ip');
}

/** Boots, loads the modules, runs the program with node and turns everything off. `args` go to the program. */
export function runInUml(modules: readonly string[], program: string, ...args: readonly string[]): UmlRun {
  const folder = mkdtempSync(join(tmpdir(), 'uml-'));
  try {
    const release = readdirSync(MODULES)[0]!;
    mkdirSync(join(folder, 'lib/modules'), { recursive: true });
    symlinkSync(join(MODULES, release), join(folder, 'lib/modules', release));
    const script = join(folder, 'init');
    writeFileSync(script, initScript(folder, modules, [process.execPath, program, ...args]), { mode: 0o755 });
    const { stdout, stderr } = spawnSync(
      programPath('linux.uml')!,
      [
        'mem=1024M',
        'root=/dev/root',
        'rootfstype=hostfs',
        'ro',
        `init=${script}`,
        'con=null',
        'con0=null,fd:1',
        'quiet',
        'panic=-1',
        `uml_dir=${folder}`,
      ],
      { encoding: 'utf8', timeout: LIMIT_MS },
    );
    const output = `${stdout}${stderr}`;
    const said = new RegExp(`^${STATUS} (\\d+)`, 'm').exec(output);
    return { status: said === null ? null : Number(said[1]), output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The first program of that kernel: places to write to, modules, the program, the end. */
function initScript(folder: string, modules: readonly string[], command: readonly string[]): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for module in ${modules.join(' ')}; do modprobe -d ${folder} $module || echo "no module $module"; done
ip link set lo up
cd ${quoted(process.cwd())}
${command.map(quoted).join(' ')}
echo "${STATUS} $?"
echo o > /proc/sysrq-trigger
sleep 5
`;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
