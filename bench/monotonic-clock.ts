// CLOCK_MONOTONIC counts from the machine's start for every process alike, so a time taken in one process can be
// subtracted from one taken in another on the same machine. performance.now() is the same clock from another origin and
// costs less than hrtime.bigint().
const OFFSET_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds of the machine's monotonic clock, comparable between processes to about a microsecond. */
export function monotonicMs(): number {
  return OFFSET_MS + performance.now();
}
