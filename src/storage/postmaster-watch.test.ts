import { describe, expect, test } from 'vitest';
import { until } from '../../test/until.ts';
import { PostmasterWatch } from './postmaster-watch.ts';

function setup(answers: boolean[]) {
  const did: string[] = [];
  let failures = 1;
  const watch = new PostmasterWatch({
    isRunning: async () => {
      const answer = answers.shift() ?? true;
      did.push(answer ? 'up' : 'down');
      return answer;
    },
    start: async () => {
      did.push('start');
      if (failures-- > 0) throw new Error('The disk is full.');
    },
    onError: (error) => did.push((error as Error).message),
    everyMs: 1,
  });
  return { did, watch };
}

describe('postmaster watch', () => {
  test('starts a server that is missed twice running, until it comes up', async () => {
    const { did, watch } = setup([true, false, true, false, false, false, true]);
    await watch.start();
    await until(() => did.length >= 14);
    await watch.stop();
    const ended = 'The Postgres server had ended while it was in use; it is started again.';
    const firstTry = ['down', ended, 'start', 'The disk is full.'];
    expect(did.slice(0, 12)).toEqual(['up', 'down', 'up', 'down', ...firstTry, 'down', ended, 'start', 'up']);
  });

  test('looks no more once it is stopped', async () => {
    const { did, watch } = setup([]);
    await watch.stop();
    await watch.start();
    await until(() => did.length > 0);
    await watch.stop();
    await watch.stop();
    const { length } = did;
    await new Promise((resolve) => setImmediate(resolve));
    expect(did).toHaveLength(length);
  });
});
