import { describe, expect, test } from 'vitest';
import { limitedForMs } from './rate-limit.ts';

const nowMs = 1_800_000_000_000;

describe('rate limit', () => {
  test.each([
    [{ ratelimit: '"default";r=0;t=30' }, 30_000],
    [{ ratelimit: 'limit=100, remaining=0, reset=7' }, 7000],
    [{ ratelimit: '"default";r=5;t=30' }, null],
    [{ 'ratelimit-remaining': '0', 'ratelimit-reset': '12' }, 12_000],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowMs / 1000 + 60) }, 60_000],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(nowMs / 1000 - 60) }, 0],
    [{ 'x-ratelimit-remaining': '3', 'x-ratelimit-reset': '60' }, null],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9999999' }, 86_400_000],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'soon' }, null],
    [{}, null],
  ])('of %j', (headers, expected) => {
    expect(limitedForMs(headers as Record<string, string>, nowMs)).toBe(expected);
  });
});
