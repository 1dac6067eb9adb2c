import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { chatMessage, isLink, words } from './chat-message.ts';

describe('chat message', () => {
  test('has title, text and link of data that has them, and the rest as fields', () => {
    const data = {
      title: 'Invoice 1 was paid',
      text: 'Thank you',
      url: 'https://example.com/i/1',
      customer: { name: 'Acme', vatId: null },
      tags: ['a', 'b'],
      lines: [{ sku: 'x' }],
      paid: true,
      note: '',
    };
    expect(chatMessage(formattedEvent(data))).toMatchObject({
      title: 'Invoice 1 was paid',
      text: 'Thank you',
      link: 'https://example.com/i/1',
      fields: [
        { label: 'Customer name', value: 'Acme' },
        { label: 'Tags', value: 'a, b' },
        { label: 'Lines', value: '1 item' },
        { label: 'Paid', value: 'true' },
      ],
      more: 0,
      time: '2026-11-21T10:00:00.000Z',
    });
  });

  test('has the type as its title when data has none, and numbers with their digits', () => {
    const message = chatMessage(formattedEvent(null, { json: '{"amount":12.50,"url":"javascript:alert(1)"}' }));
    expect(message).toMatchObject({ title: 'Invoice paid', text: null, link: null });
    expect(message.fields).toEqual([
      { label: 'Amount', value: '12.50' },
      { label: 'Url', value: 'javascript:alert(1)' },
    ]);
  });

  test('says how many fields are not shown', () => {
    const data = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`key${i}`, i]));
    const message = chatMessage(formattedEvent(data));
    expect(message.fields).toHaveLength(10);
    expect(message.more).toBe(3);
  });

  test('shows data that is no object', () => {
    expect(chatMessage(formattedEvent([1, 2])).fields).toEqual([{ label: 'Data', value: '1, 2' }]);
    expect(chatMessage(formattedEvent(null)).fields).toEqual([]);
  });

  test('makes words of names', () => {
    expect(['invoice.paid', 'customerId', 'html_url', '___'].map(words)).toEqual([
      'Invoice paid',
      'Customer id',
      'Html url',
      '___',
    ]);
  });

  test('links to http and https only, and to nothing that could end a link early', () => {
    expect(['https://a.example/?b=1&c', 'http://a.example'].every(isLink)).toBe(true);
    const bad = ['ftp://a.example', 'https://a.example/|x', 'https://a.example/>', 'https://', 'javascript:1', 7];
    expect(bad.some(isLink)).toBe(false);
  });
});
