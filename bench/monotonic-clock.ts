// CLOCK_MONOTONIC counts from the machine's start for every process alike, so a time taken in one process can be
// subtracted from one taken in another on the same machine. (performance.now() counts from each process's own start, and
// an offset between the two is wrong by however long the process was put aside while it was taken.)

/** Milliseconds of the machine's monotonic clock, comparable between its processes. */
export function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1000 + nanos / 1e6;
}
