import { describe, expect, test } from 'vitest';
import { PartList } from './part-list.ts';

function setup() {
  const did: string[] = [];
  const aPart = (name: string, stop: () => Promise<void> = async () => {}) => ({
    start: async () => void did.push(`+${name}`),
    stop: () => {
      did.push(`-${name}`);
      return stop();
    },
  });
  return { did, aPart, parts: new PartList() };
}

describe('part list', () => {
  test('starts in order, stops in reverse, and only once', async () => {
    const { did, aPart, parts } = setup();
    for (const name of ['a', 'b', 'c']) await parts.use(aPart(name));
    await parts.stop(1000);
    await parts.stop(1000);
    expect(did).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });

  test('stops a part whose start failed, and the others though one fails to stop', async () => {
    const { did, aPart, parts } = setup();
    await parts.use(aPart('a'));
    await parts.use(aPart('b', () => Promise.reject(new Error('no end to b'))));
    const broken = { ...aPart('c'), start: () => Promise.reject(new Error('no start of c')) };
    await expect(parts.use(broken)).rejects.toThrow('no start of c');
    await expect(parts.stop(1000)).rejects.toThrow('no end to b');
    expect(did).toEqual(['+a', '+b', '-c', '-b', '-a']);
  });

  test('waits for nobody when the time is over, but for the first', async () => {
    const { did, aPart, parts } = setup();
    await parts.use(aPart('a', async () => void did.push('a ended')));
    await parts.use(aPart('b'));
    await parts.use(aPart('c', () => new Promise(() => {})));
    await expect(parts.stop(20)).rejects.toThrow('Not everything could be stopped within 1 s.');
    expect(did.slice(3)).toEqual(['-c', '-b', '-a', 'a ended']);
  });
});
