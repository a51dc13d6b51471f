/** The first program of a kernel of its own (`uml.ts`, `guest.ts`), and what came of it. */
const STATUS = 'program-status';

export interface KernelRun {
  /** Exit code of the program; null: the kernel ended without it. */
  readonly status: number | null;
  /** What kernel and program said. */
  readonly output: string;
}

export interface InitOptions {
  /** File systems of the kernel that are not there yet: type and place. */
  readonly mounts: readonly (readonly [type: string, place: string])[];
  /** Folder with `lib/modules/…`. */
  readonly modulesIn: string;
  readonly modules: readonly string[];
  readonly command: readonly string[];
}

/** Mounts, a place to write to, modules, the command, the end. */
export function initLines({ mounts, modulesIn, modules, command }: InitOptions): string {
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run
${[...mounts, ['tmpfs', '/run']].map(([type, place]) => `mount -t ${type} none ${place}`).join('\n')}
for module in ${modules.join(' ')}; do modprobe -d ${quoted(modulesIn)} $module || echo "no module $module"; done
ip link set lo up
cd ${quoted(process.cwd())}
${command.map(quoted).join(' ')}
echo "${STATUS} $?"
echo o > /proc/sysrq-trigger
sleep 5
`;
}

export function runOf(output: string): KernelRun {
  const said = new RegExp(`^${STATUS} (\\d+)`, 'm').exec(output);
  return { status: said === null ? null : Number(said[1]), output };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
