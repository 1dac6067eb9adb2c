// What one event may cost one filter is bounded by a count of steps, not by how large the event is.

/** Of some 10 ns: elements of arrays looked at times conditions, characters of text times instructions of $regex. */
const MAX_STEPS = 1_000_000;

let stepsLeft = MAX_STEPS;

/** A filter begins to look at an event. */
export function beginSteps(): void {
  stepsLeft = MAX_STEPS;
}

/** @throws Error when the event has taken too many */
export function charge(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft >= 0) return;
  throw new Error(
    `The filter gave up on the event after ${MAX_STEPS.toLocaleString('en')} steps: it asks too much of long arrays, or of long text by $regex.`,
  );
}
