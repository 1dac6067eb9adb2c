import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyTimeMs, chatData } from '../../../test/chat-data.ts';
import { formattedEvent } from '../../../test/formatted-event.ts';
import type { ChatOptions } from './chat-message.ts';
import { discordFormat } from './discord.ts';

interface Embed {
  title?: string;
  description?: string;
  url?: string;
  timestamp?: string;
  fields?: { name: string; value: string; inline: boolean }[];
  footer?: { text: string };
}

function render(data: unknown, more: Parameters<typeof formattedEvent>[1] = {}, options: ChatOptions = {}): Embed {
  const message = JSON.parse(discordFormat(options).one(formattedEvent(data, more)).body.toString());
  expect(Object.keys(message)).toEqual(['embeds', 'allowed_mentions']);
  expect(message.allowed_mentions).toEqual({ parse: [] });
  expect(message.embeds).toHaveLength(1);
  return message.embeds[0];
}

/** What is wrong with an embed by Discord's documents ("Embed Limits"). */
function faults({ title, description, url, timestamp, fields = [], footer }: Embed): string[] {
  const texts = [title, description, footer?.text, ...fields.flatMap(({ name, value }) => [name, value])];
  const isWithin = (text: string | undefined, max: number): boolean =>
    text === undefined || (text.length >= 1 && text.length <= max && text.trim() !== '');
  const rules = {
    'a title has 1 to 256 characters': isWithin(title, 256),
    'a description has 1 to 4096': isWithin(description, 4096),
    'there are at most 25 fields': fields.length <= 25,
    'names have 1 to 256': fields.every(({ name }) => isWithin(name, 256)),
    'values have 1 to 1024': fields.every(({ value }) => isWithin(value, 1024)),
    'a footer has 1 to 2048': isWithin(footer?.text, 2048),
    'all together have at most 6000': texts.reduce((sum, text) => sum + (text?.length ?? 0), 0) <= 6000,
    'it is not empty': texts.some((text) => text !== undefined),
    'the url is http': url === undefined || /^https?:/.test(url),
    'the time is ISO 8601': timestamp === undefined || new Date(timestamp).toISOString() === timestamp,
  };
  return Object.entries(rules).flatMap(([rule, holds]) => (holds ? [] : [rule]));
}

describe('discord', () => {
  test('is an embed with title, text, fields, link and where it comes from', () => {
    const data = { title: 'A *B*', text: 'see https://e.example/a_b_c', amount: 1, url: 'https://e.example/?a&b' };
    expect(render(data)).toEqual({
      title: 'A \\*B\\*',
      description: 'see https://e.example/a_b_c',
      url: 'https://e.example/?a&b',
      fields: [{ name: 'Amount', value: '1', inline: true }],
      footer: { text: 'invoice.paid · evt_01k8xw4t0e00000000000000e1' },
      timestamp: '2026-11-21T10:00:00.000Z',
    });
  });

  test('has the text of a template in the markup that it is written in', () => {
    expect(render({ who: '**A**' }, {}, { template: '**{{ data.who }}** paid', link: 'https://e.example' })).toEqual({
      description: '**\\*\\*A\\*\\*** paid\nhttps://e.example',
    });
    expect(() => render({}, {}, { template: '{{ data.text }}' })).toThrow('empty message');
  });

  test("keeps Discord's limits whatever data is", () => {
    const options = fc.constantFrom<ChatOptions>(
      {},
      { template: '{{ type }} {{ data.text }}', fields: ['text', 'id', 'list'], link: '{{ data.url }}' },
    );
    fc.assert(
      fc.property(chatData, anyTimeMs, options, (data, timeMs, chosen) => {
        expect(faults(render(data, { timeMs }, chosen))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
