// CPU time and memory of processes as Linux keeps them under /proc (proc(5)). The kernel counts CPU in ticks of 10 ms,
// which is a thousandth of the seconds that a benchmark measures.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const MICROS_PER_TICK = 10_000; // USER_HZ is 100 on every Linux that Node runs on

export interface ProcessStat {
  pid: number;
  parentPid: number;
  name: string;
  /** User and system time of the process itself. */
  cpuMicros: number;
  /** User and system time of its children that have ended and been waited for. */
  endedChildrenMicros: number;
}

/** Parses `/proc/<pid>/stat`. The name stands in parentheses and may hold spaces and parentheses itself. */
export function parseProcessStat(text: string): ProcessStat {
  const nameEnd = text.lastIndexOf(')');
  const fields = text.slice(nameEnd + 2).split(' '); // from field 3, the state, on
  const ticks = (field: number) => Number(fields[field - 3]);
  return {
    pid: Number.parseInt(text, 10),
    parentPid: ticks(4),
    name: text.slice(text.indexOf('(') + 1, nameEnd),
    cpuMicros: (ticks(14) + ticks(15)) * MICROS_PER_TICK,
    endedChildrenMicros: (ticks(16) + ticks(17)) * MICROS_PER_TICK,
  };
}

/** Null when there is no such process. */
export function readProcessStat(pid: number): ProcessStat | null {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

export interface ProcessMemory {
  residentBytes: number;
  /** The greatest resident memory since the start of the process, or since `resetPeakMemory`. */
  peakBytes: number;
}

/** Zeros when there is no such process. */
export function readProcessMemory(pid: number): ProcessMemory {
  try {
    return parseProcessMemory(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return { residentBytes: 0, peakBytes: 0 };
  }
}

/** Parses `/proc/<pid>/status`; a kernel thread has no memory of its own. */
export function parseProcessMemory(status: string): ProcessMemory {
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { residentBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
}

/** Lets the peak begin anew with what is resident now. @throws Error when there is no such process. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Every process of the machine; one that ends meanwhile is left out. */
export function readAllProcessStats(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcessStat(Number(name)))
    .filter((stat) => stat !== null);
}

/** A process and all its descendants. */
export function treeOf(stats: ProcessStat[], rootPid: number): ProcessStat[] {
  const tree = stats.filter((stat) => stat.pid === rootPid);
  for (const parent of tree) tree.push(...stats.filter((stat) => stat.parentPid === parent.pid));
  return tree;
}

/** CPU of a process and all its descendants. Ended children count once they were waited for. */
export function treeCpuMicros(stats: ProcessStat[], rootPid: number): number {
  return treeOf(stats, rootPid).reduce((sum, stat) => sum + stat.cpuMicros + stat.endedChildrenMicros, 0);
}
