import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyTimeMs, chatData } from '../../../test/chat-data.ts';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { type TelegramOptions, telegramFormat } from './telegram.ts';

function render(
  data: unknown,
  more: Parameters<typeof formattedEvent>[1] = {},
  options: Partial<TelegramOptions> = {},
): Record<string, unknown> & { text: string } {
  return JSON.parse(
    telegramFormat({ chatId: '@example', ...options })
      .one(formattedEvent(data, more))
      .body.toString(),
  );
}

/** What Telegram shows of HTML. @throws where it would refuse the message (Bot API, "HTML style") */
function shown(html: string): string {
  const open: string[] = [];
  const text = html.replaceAll(
    /<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")*)>|&(amp|lt|gt|quot);|[<&>]/g,
    (whole, slash, tag, _, entity) => {
      if (entity !== undefined) return { amp: '&', lt: '<', gt: '>', quot: '"' }[entity as 'amp'];
      if (tag === undefined) throw new Error(`a stray ${whole} in ${html}`);
      if (!['a', 'b', 'i', 'code'].includes(tag)) throw new Error(`no tag ${tag}`);
      if (slash === '') open.push(tag);
      else if (open.pop() !== tag) throw new Error(`${whole} closes nothing in ${html}`);
      return '';
    },
  );
  if (open.length > 0) throw new Error(`${open} is never closed in ${html}`);
  return text;
}

function expectValid({ text }: { text: string }): void {
  expect(shown(text).trim().length).toBeGreaterThan(0);
  expect(shown(text).length).toBeLessThanOrEqual(4096);
  expect(text.isWellFormed()).toBe(true);
}

describe('telegram', () => {
  test('is a message with title, text, fields, link and where it comes from', () => {
    const data = { title: 'A & B', text: '<b>', amount: 1, url: 'https://e.example/?a&b' };
    expect(render(data, {}, { chatId: -1001, threadId: 5, silent: true })).toEqual({
      chat_id: -1001,
      message_thread_id: 5,
      text: [
        '<b>A &amp; B</b>',
        '&lt;b&gt;',
        '<b>Amount:</b> 1',
        '<a href="https://e.example/?a&amp;b">Open</a>',
        '<i>invoice.paid · 2026-11-21 10:00:00 UTC · evt_01k8xw4t0e00000000000000e1</i>',
      ].join('\n\n'),
      parse_mode: 'HTML',
      link_preview_options: { is_disabled: true },
      disable_notification: true,
    });
  });

  test('has the text of a template in the markup that it is written in', () => {
    const { text } = render({ who: 'A <b>' }, {}, { template: '<b>{{ data.who }}</b> paid' });
    expect(text).toBe('<b>A &lt;b&gt;</b> paid');
    expect(() => render({}, {}, { template: '{{ data.text }}' })).toThrow('empty message');
  });

  test('cuts the text of a template, and closes what is open there', () => {
    const { text } = render({ text: '&'.repeat(4000) }, {}, { template: '<b><i>{{ data.text }}</i></b>' });
    expect(text).toMatch(/&amp;…<\/i><\/b>$/);
    expectValid({ text });
  });

  test("keeps Telegram's limits whatever data is", () => {
    const options = fc.constantFrom<Partial<TelegramOptions>>(
      {},
      { template: '{{ type }} <code>{{ data.text }}</code>', fields: ['text', 'id', 'list'], link: '{{ data.url }}' },
    );
    fc.assert(
      fc.property(chatData, anyTimeMs, options, (data, timeMs, chosen) =>
        expectValid(render(data, { timeMs }, chosen)),
      ),
      { numRuns: 60 },
    );
  });
});
