import { describe, expect, test } from 'vitest';
import { demoEndpoints, takes } from './demo-endpoints.ts';
import { githubEvents } from './github-events.ts';

describe('demo endpoints', () => {
  test.each([
    [['github.push'], 'github.push', true],
    [['github.push'], 'github.pushes', false],
    [['github.pull_request*'], 'github.pull_request', true],
    [['github.pull_request*'], 'github.pull_request_review', true],
    [['github.pull_request*'], 'github.pull', false],
    [['*.a*c'], 'x.y.abcbc', true],
    [['*.a*c'], 'x.y.abcb', false],
    [['x', '*'], 'anything', true],
    [[], 'anything', false],
    [null, 'anything', true],
  ])('%j takes %s: %s', (types, type, expected) => {
    expect(takes(types, type)).toBe(expected);
  });

  test('each gets some of the events, and the troubled ones meet their trouble', () => {
    const events = githubEvents(3000);
    for (const { types, fails } of demoEndpoints()) {
      expect(events.filter(({ type }) => takes(types, type)).length).toBeGreaterThan(200);
      if (!fails) continue;
      expect(events.filter(({ type }) => takes(fails.types, type)).length).toBeGreaterThanOrEqual(fails.events);
    }
    expect(new Set(demoEndpoints().map(({ secret }) => secret)).size).toBe(4);
  });
});
