import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyTimeMs, chatData } from '../../../test/chat-data.ts';
import { formattedEvent } from '../../../test/formatted-event.ts';
import type { ChatOptions } from './chat-message.ts';
import { slackFormat } from './slack.ts';

interface Text {
  type: string;
  text: string;
  verbatim?: boolean;
}
interface Block {
  type: string;
  text?: Text;
  fields?: Text[];
  elements?: Text[];
}

function render(
  data: unknown,
  more: Parameters<typeof formattedEvent>[1] = {},
  options: ChatOptions = {},
): { text: string; blocks: Block[] } {
  const { body, contentType } = slackFormat(options).one(formattedEvent(data, more));
  expect(contentType).toBe('application/json');
  return JSON.parse(body.toString());
}

/** What is wrong with a message by Slack's Block Kit reference. */
function faults({ text, blocks }: { text: string; blocks: Block[] }): string[] {
  const wrong: string[] = [];
  const check = (what: string, ok: boolean): void => {
    if (!ok) wrong.push(what);
  };
  const checkText = (at: string, object: Text | undefined, max: number): void => {
    check(
      `${at} has 1 to ${max} characters`,
      object !== undefined && object.text.length >= 1 && object.text.length <= max,
    );
    if (object?.type !== 'mrkdwn') return;
    check(`${at} is verbatim`, object.verbatim === true);
    check(`${at} has no stray & < >`, isEscaped(object.text));
  };
  check('the text has 1 to 40,000 characters', text.length >= 1 && text.length <= 40_000);
  check('there are 1 to 50 blocks', blocks.length >= 1 && blocks.length <= 50);
  for (const { type, text: own, fields, elements } of blocks) {
    if (type === 'header') {
      checkText('header', own, 150);
      check('a header is plain text', own?.type === 'plain_text');
    } else if (type === 'section') {
      check('a section has text or fields', own !== undefined || (fields !== undefined && fields.length > 0));
      if (own) checkText('section', own, 3000);
      check('a section has at most 10 fields', (fields?.length ?? 0) <= 10);
      for (const field of fields ?? []) checkText('field', field, 2000);
    } else if (type === 'context') {
      check('a context has 1 to 10 elements', elements!.length >= 1 && elements!.length <= 10);
      for (const element of elements!) checkText('context', element, 3000);
    } else wrong.push(`${type} is not known`);
  }
  return wrong;
}

/** Only entities, links to http and dates remain of & < >. */
function isEscaped(text: string): boolean {
  const rest = text
    .replaceAll(/&(amp|lt|gt);/g, '')
    .replaceAll(/<(https?:\/\/[^<>|]+|!date\^\d+\^[^<>|]+\|[^<>|]+)>/g, '');
  return !/[<>&]/.test(rest);
}

describe('slack', () => {
  test('is a message with title, text, fields, link and where it comes from', () => {
    const { text, blocks } = render({
      title: 'A & B',
      text: 'Hi <!channel>',
      amount: 1,
      url: 'https://e.example/?a&b',
    });
    expect(text).toBe('A &amp; B: Hi &lt;!channel&gt;');
    expect(blocks.map(({ type }) => type)).toEqual(['header', 'section', 'section', 'section', 'context']);
    expect(blocks[0].text).toEqual({ type: 'plain_text', text: 'A & B', emoji: false });
    expect(blocks[1].text?.text).toBe('Hi &lt;!channel&gt;');
    expect(blocks[2].fields?.[0].text).toBe('*Amount*\n1');
    expect(blocks[3].text?.text).toBe('<https://e.example/?a&amp;b>');
    expect(blocks[4].elements?.[0].text).toMatch(
      /^invoice\.paid · <!date\^1795255200\^.*\|2026-11-21T10:00:00\.000Z> · evt_/,
    );
  });

  test('shows that something is left out', () => {
    const long = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`k${i}`, '&'.repeat(5000)]));
    const message = render({ title: 'x'.repeat(200), text: '<'.repeat(5000), ...long });
    expect(faults(message)).toEqual([]);
    expect(message.blocks[0].text?.text).toMatch(/x…$/);
    expect(message.blocks[1].text?.text).toMatch(/&lt;…$/);
    expect(message.blocks[2].fields?.[9].text).toMatch(/&amp;…$/);
    expect(message.blocks[3].elements?.[0].text).toBe('… and 2 more fields');
  });

  test('keeps the limits of Block Kit whatever data is', () => {
    fc.assert(
      fc.property(chatData, anyTimeMs, (value, timeMs) => {
        expect(faults(render(value, { timeMs }))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('keeps them with templates too, and is nothing where these make nothing', () => {
    const options = {
      title: '{{ data.text }}',
      template: '{{ data.text }} <https://e.example|here>',
      fields: ['text'],
    };
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 4000 }), (text) => {
        expect(faults(render({ text }, {}, options)).filter((fault) => !fault.includes('stray'))).toEqual([]);
      }),
      { numRuns: 40 },
    );
    expect(() => render({}, {}, { template: ' {{ data.text }} ' })).toThrow('empty message');
  });

  test('has the text of a template in the markup that it is written in', () => {
    const { text, blocks } = render(
      { who: 'A <b> & C' },
      {},
      { template: '*{{ data.who }}* <!here>', link: 'https://e.example/1' },
    );
    expect(blocks.map(({ text }) => text?.text)).toEqual(['*A &lt;b&gt; &amp; C* <!here>', '<https://e.example/1>']);
    expect(text).toBe('*A &lt;b&gt; &amp; C* <!here>');
  });
});
