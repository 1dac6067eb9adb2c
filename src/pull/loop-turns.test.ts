import { describe, expect, test } from 'vitest';
import { LoopTurns } from './loop-turns.ts';

describe('loop turns', () => {
  test('let timers run between, and begin anew', async () => {
    const turns = new LoopTurns();
    expect(turns.isOver).toBe(false);
    let others = 0;
    setImmediate(() => others++);
    const untilMs = performance.now() + 20;
    while (performance.now() < untilMs);
    expect(turns.isOver).toBe(true);
    expect(others).toBe(0);
    await turns.next();
    expect(others).toBe(1);
    expect(turns.isOver).toBe(false);
  });
});
