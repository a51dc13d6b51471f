/** CPU of other processes, as the kernel counts it. Linux only. */
import { readFileSync } from 'node:fs';

/** USER_HZ: what /proc counts in, on every architecture of ours. */
const TICKS_PER_SECOND = 100;

/** User and system seconds of a process with all its threads so far: fields 14 and 15 of proc_pid_stat(5). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in field 2 may hold spaces and brackets: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
