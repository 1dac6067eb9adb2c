// CPU time and memory of processes as Linux keeps them under /proc (proc(5)). The kernel counts CPU in ticks of 10 ms,
// which is a thousandth of the seconds that a benchmark measures.
import { readdirSync, readFileSync } from 'node:fs';

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

/** The greatest resident memory the process has had, in bytes; NaN when there is no such process. */
export function readPeakMemoryBytes(pid: number): number {
  try {
    return parsePeakMemoryBytes(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return Number.NaN;
  }
}

export function parsePeakMemoryBytes(status: string): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

/** Every process of the machine; one that ends meanwhile is left out. */
export function readAllProcessStats(): ProcessStat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readProcessStat(Number(name)))
    .filter((stat) => stat !== null);
}

/**
 * CPU of a process and all its descendants but those that `leaveOut` names (with their descendants). Ended children count once they were
 * waited for.
 */
export function treeCpuMicros(
  stats: ProcessStat[],
  rootPid: number,
  leaveOut: (stat: ProcessStat) => boolean = () => false,
): number {
  const root = stats.find((stat) => stat.pid === rootPid);
  if (!root) return 0;
  let sum = root.cpuMicros + root.endedChildrenMicros;
  for (const child of stats) {
    if (child.parentPid === rootPid && !leaveOut(child)) sum += treeCpuMicros(stats, child.pid, leaveOut);
  }
  return sum;
}
