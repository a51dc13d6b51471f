/**
 * A Linux kernel as an ordinary process (user-mode Linux), for what the kernel of a machine may lack: VLANs, VRFs, VSOCK and others. It sees
 * the machine's files, read-only, and has interfaces of its own alone; what a program writes there goes to memory and is gone with it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initLines, type KernelRun, runOf } from './init.ts';
import { needs, programPath } from './needs.ts';

const MODULES = '/usr/lib/uml/modules';
/** It boots in five seconds. */
const LIMIT_MS = 120_000;

/** As `needs`. */
export function needsUml(): string | false {
  return needs('linux.uml', 'modprobe', 'mount', 'ip');
}

/** Boots, loads the modules, runs the program with node and turns everything off. `args` go to the program. */
export function runInUml(modules: readonly string[], program: string, ...args: readonly string[]): KernelRun {
  const folder = mkdtempSync(join(tmpdir(), 'uml-'));
  try {
    const release = readdirSync(MODULES)[0]!;
    mkdirSync(join(folder, 'lib/modules'), { recursive: true });
    symlinkSync(join(MODULES, release), join(folder, 'lib/modules', release));
    const script = join(folder, 'init');
    const mounts = [
      ['proc', '/proc'],
      ['sysfs', '/sys'],
    ] as const;
    const command = [process.execPath, program, ...args];
    writeFileSync(script, initLines({ mounts, modulesIn: folder, modules, command }), { mode: 0o755 });
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
    return runOf(`${stdout}${stderr}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
