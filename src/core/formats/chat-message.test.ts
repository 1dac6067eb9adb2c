import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { type ChatMessage, chatComposer, isLink, words } from './chat-message.ts';
import type { FormattedEvent } from './event-format.ts';

const star = (text: string): string => text.replaceAll('*', '\\*');
const chatMessage = (event: FormattedEvent): ChatMessage => chatComposer({}, star)(event);

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
      text: { value: 'Thank you', isMarkup: false },
      link: 'https://example.com/i/1',
      fields: [
        { label: 'Customer name', value: 'Acme' },
        { label: 'Tags', value: 'a, b' },
        { label: 'Lines', value: '1 item' },
        { label: 'Paid', value: 'true' },
      ],
      more: 0,
      origin: { type: 'invoice.paid', time: '2026-11-21T10:00:00.000Z' },
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

  test('has what templates make of the event, escaped as the chat wants it, and nothing else', () => {
    const options = {
      title: '{{ data.customer.name }}\n paid',
      template: '*{{ data.note }}* {{ data.amount }}',
      link: 'https://example.com/i/{{ data.id | url_encode }}',
    };
    const data = '{"note":"2*3","amount":12.50,"id":"a/b","url":"https://e.example","customer":{"name":"A*B"}}';
    expect(chatComposer(options, star)(formattedEvent(null, { json: data }))).toEqual({
      title: 'A*B paid',
      text: { value: '*2\\*3* 12.50', isMarkup: true },
      link: 'https://example.com/i/a%2Fb',
      fields: [],
      more: 0,
      origin: null,
    });
  });

  test('keeps its default text beside a title of its own, and shows the fields that were asked for', () => {
    const options = { title: 'New: {{ type }}', fields: ['customer.name', 'lines.0.sku', 'missing', 'constructor'] };
    const data = { text: 'Hi', customer: { name: 'Acme' }, lines: [{ sku: 'x' }] };
    const message = chatComposer(options, star)(formattedEvent(data));
    expect(message).toMatchObject({ title: 'New: invoice.paid', text: { value: 'Hi', isMarkup: false }, more: 0 });
    expect(message.fields).toEqual([
      { label: 'Customer name', value: 'Acme' },
      { label: 'Lines 0 sku', value: 'x' },
    ]);
  });

  test('has no link where the template of one makes none', () => {
    const message = chatComposer({ link: 'javascript:{{ data.x }}' }, star)(formattedEvent({ x: 1 }));
    expect(message.link).toBe(null);
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
