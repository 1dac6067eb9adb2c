import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { OPTIONS } from '../app/config.ts';
import { firstCalls } from './first-calls.ts';
import { parseExpiry } from './keys.ts';
import { buildProgram } from './program.ts';

function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

describe('program', () => {
  test('has help with examples for every command', () => {
    const names = commandsOf(buildProgram()).map((command) => {
      expect(helpOf(command)).toMatch(/\nExamples:\n {2}\S/);
      return command.name();
    });
    expect(names).toEqual([
      'tidings',
      'dev',
      'serve',
      'migrate',
      'keys',
      'create',
      'sources',
      'providers',
      'types',
      'demo',
      'compare',
    ]);
  });

  test('offers every option of the table to a server', () => {
    const program = buildProgram();
    for (const name of ['dev', 'serve']) {
      const help = helpOf(program.commands.find((command) => command.name() === name)!);
      for (const { flag, env } of OPTIONS) {
        expect(help).toContain(env);
        if (flag !== null) expect(help).toContain(flag);
      }
    }
  });
});

describe('first calls', () => {
  test('point at this machine only where that is allowed', () => {
    const ready = { url: 'http://127.0.0.1:1', apiKey: 'tdg_x' };
    const strict = firstCalls({ ...ready, config: { allowHttp: false, allowPrivate: [] } });
    expect(strict).toContain('"url":"https://your-server.example/webhooks"');
    expect(strict).toContain('Bearer tdg_x');
    const local = firstCalls({ ...ready, config: { allowHttp: true, allowPrivate: ['127.0.0.0/8'] } });
    expect(local).toContain('"url":"http://127.0.0.1:9000/webhooks"');
  });
});

describe('expiry of a key', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  test('is a time or a duration', () => {
    expect(parseExpiry('90d', now)).toEqual(new Date('2026-04-01T00:00:00Z'));
    expect(parseExpiry('12h', now)).toEqual(new Date('2026-01-01T12:00:00Z'));
    expect(parseExpiry('30m', now)).toEqual(new Date('2026-01-01T00:30:00Z'));
    expect(parseExpiry('2026-02-01T00:00:00+01:00', now)).toEqual(new Date('2026-01-31T23:00:00Z'));
  });

  test('is to come', () => {
    expect(() => parseExpiry('2025-12-31', now)).toThrow('--expires 2025-12-31 is past.');
    expect(() => parseExpiry('0d', now)).toThrow('is past');
    expect(() => parseExpiry('soon', now)).toThrow('is not a time');
  });
});
