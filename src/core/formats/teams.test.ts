import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyTimeMs, chatData } from '../../../test/chat-data.ts';
import { formattedEvent } from '../../../test/formatted-event.ts';
import type { ChatOptions } from './chat-message.ts';
import { teamsFormat } from './teams.ts';

interface Item {
  type: string;
  text?: string;
  facts?: { title: string; value: string }[];
}
interface Card {
  version: string;
  body: Item[];
  actions?: { type: string; title: string; url: string }[];
}

function render(data: unknown, more: Parameters<typeof formattedEvent>[1] = {}, options: ChatOptions = {}): Card {
  const { body } = teamsFormat(options).one(formattedEvent(data, more));
  expect(body.length).toBeLessThanOrEqual(28 * 1024); // of a message, as Teams documents
  const message = JSON.parse(body.toString());
  expect(message).toMatchObject({
    type: 'message',
    attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null }],
  });
  expect(message.attachments).toHaveLength(1);
  return message.attachments[0].content;
}

/** What is wrong with a card by the schema of Adaptive Cards 1.4. */
function faults({ version, body, actions = [] }: Card): string[] {
  const rules = {
    'Teams shows cards up to 1.5': version === '1.4',
    'it is not empty': body.length + actions.length > 0,
    'elements are known': body.every(({ type }) => type === 'TextBlock' || type === 'FactSet'),
    'texts are there': body.every(({ type, text }) => type !== 'TextBlock' || (text !== undefined && text !== '')),
    'facts have both parts': body.every(({ facts = [] }) => facts.every(({ title, value }) => title && value)),
    'fact sets have facts': body.every(({ type, facts = [] }) => type !== 'FactSet' || facts.length > 0),
    'actions open URLs': actions.every(({ type, url }) => type === 'Action.OpenUrl' && /^https?:/.test(url)),
  };
  return Object.entries(rules).flatMap(([rule, holds]) => (holds ? [] : [rule]));
}

describe('teams', () => {
  test('is a card with title, text, fields, link and where it comes from', () => {
    const data = { title: 'A *B*', text: 'see https://e.example/a_b', amount: 1, url: 'https://e.example/?a&b' };
    const { body, actions } = render(data);
    expect(body.map(({ type, text, facts }) => text ?? facts ?? type)).toEqual([
      'A \\*B\\*',
      'see [https://e.example/a\\_b](https://e.example/a_b)',
      [{ title: 'Amount', value: '1' }],
      'invoice.paid · {{DATE(2026-11-21T10:00:00Z, SHORT)}} {{TIME(2026-11-21T10:00:00Z)}} · evt\\_01k8xw4t0e00000000000000e1',
    ]);
    expect(actions).toEqual([{ type: 'Action.OpenUrl', title: 'Open', url: 'https://e.example/?a&b' }]);
  });

  test('has the text of a template in the markup that it is written in', () => {
    const { body } = render({ who: '**A**' }, {}, { template: '**{{ data.who }}** paid' });
    expect(body.map(({ text }) => text)).toEqual(['**\\*\\*A\\*\\*** paid']);
    expect(() => render({}, {}, { template: '{{ data.text }}' })).toThrow('empty message');
  });

  test("keeps Teams' limits whatever data is", () => {
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

  test('is small enough even when every field is as long as can be', () => {
    const long = '\u{10ffff}\\'.repeat(5000);
    const data = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`${long}${i}`, long]));
    expect(faults(render({ title: long, text: long, url: `https://e.example/${'a'.repeat(1900)}`, ...data }))).toEqual(
      [],
    );
  });
});
