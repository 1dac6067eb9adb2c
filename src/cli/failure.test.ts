import { CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../app/config.ts';
import { describeFailure, exitCodeOf, UsageError } from './failure.ts';

describe('failure', () => {
  test('tells wrong calls from failures by the exit code', () => {
    expect(exitCodeOf(new ConfigError('x'))).toBe(2);
    expect(exitCodeOf(new UsageError('x'))).toBe(2);
    expect(exitCodeOf(new CommanderError(1, 'commander.unknownOption', 'x'))).toBe(2);
    expect(exitCodeOf(new CommanderError(0, 'commander.helpDisplayed', 'x'))).toBe(0);
    expect(exitCodeOf(new Error('x'))).toBe(1);
  });

  test('is one sentence, with the stack only for debugging', () => {
    const error = new Error('The disk is full.');
    expect(describeFailure(error, false)).toBe('tidings: The disk is full.');
    expect(describeFailure(error, true)).toContain('failure.test.ts');
    expect(describeFailure(new CommanderError(1, 'c', 'said already'), true)).toBeNull();
  });

  test('says in words what the system says in codes', () => {
    const inUse = Object.assign(new Error('listen EADDRINUSE'), {
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port: 8420,
    });
    expect(describeFailure(inUse, false)).toBe(
      'tidings: Port 8420 of 127.0.0.1 is in use. Stop what uses it, or choose another with --port.',
    );
    const refused = Object.assign(new Error('connect ECONNREFUSED ::1:5432'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    const words = /^tidings: The database cannot be reached: connect ECONNREFUSED ::1:5432\. Check DATABASE_URL/;
    expect(describeFailure(refused, false)).toMatch(words);
    expect(describeFailure(new AggregateError([refused, refused]), false)).toMatch(words);
  });
});
