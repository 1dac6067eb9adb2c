// Waiting for a signal instead of a time: the condition is asked again and again until it holds.
import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 10;
/** Below vitest's own limit, so that the message says what was waited for. */
const GIVE_UP_MS = 20_000;

/** Resolves once the condition holds, and rejects, showing the condition, when it does not for long. */
export async function until(condition: () => unknown): Promise<void> {
  const giveUpMs = Date.now() + GIVE_UP_MS;
  while (!(await condition())) {
    if (Date.now() > giveUpMs) throw new Error(`It did not come to this: ${condition}`);
    await delay(EVERY_MS);
  }
}
