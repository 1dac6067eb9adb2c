import { describe, expect, test } from 'vitest';
import { CpuShare } from './cpu-share.ts';

const OPTIONS = { share: 0.5, burstMs: 100 };

describe('CPU share', () => {
  test('lets a burst through, and then as much as the share', () => {
    const share = new CpuShare(OPTIONS, 0);
    share.spend(99, 0);
    expect(share.nextMs(0)).toBe(0);
    share.spend(51, 0);
    expect(share.nextMs(0)).toBe(102);
    expect(share.nextMs(50)).toBeGreaterThan(50);
    expect(share.nextMs(102)).toBe(0);
  });

  test('is owed what a long run took beyond it', () => {
    const share = new CpuShare(OPTIONS, 0);
    share.spend(1100, 0);
    expect(share.nextMs(0)).toBe(2002);
    expect(share.isFull(2000)).toBe(false);
    expect(share.isFull(2300)).toBe(true);
  });

  test('saves up no more than the burst, and is not moved by a clock that goes back', () => {
    const share = new CpuShare(OPTIONS, 1000);
    share.spend(60, 1_000_000);
    share.spend(60, 900_000);
    expect(share.nextMs(900_000)).toBe(900_042);
  });
});
