import { describe, expect, test } from 'vitest';
import { LookupSlots } from './lookup-slots.ts';

function setup(max: number) {
  const slots = new LookupSlots(max);
  const running: { suspect: boolean; end: () => void }[] = [];
  const begin = (suspect: boolean): Promise<void> =>
    slots.run(suspect, () => new Promise<void>((resolve) => running.push({ suspect, end: resolve })));
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) await null;
  };
  return { begin, running, settle };
}

describe('lookup slots', () => {
  test('suspects have a quarter of them, however many they are', async () => {
    const { begin, running, settle } = setup(8);
    const all = [...Array.from({ length: 20 }, () => begin(true)), ...Array.from({ length: 6 }, () => begin(false))];
    await settle();
    expect(running.map(({ suspect }) => suspect)).toEqual([true, true, false, false, false, false, false, false]);
    for (let done = 0; done < all.length; done++) {
      running[done].end();
      await settle();
      const underWay = running.slice(done + 1);
      expect(underWay.length).toBeLessThanOrEqual(8);
      expect(underWay.filter(({ suspect }) => suspect).length).toBeLessThanOrEqual(2);
    }
    await Promise.all(all);
  });

  test('a lookup that fails gives its slot back', async () => {
    const slots = new LookupSlots(1);
    await expect(slots.run(true, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await slots.run(true, async () => 'yes')).toBe('yes');
  });
});
