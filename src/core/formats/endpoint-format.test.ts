import { describe, expect, test } from 'vitest';
import { checkBatchFormat, checkFormat, type FormatInput, normaliseFormat } from './endpoint-format.ts';

const faults = (format: FormatInput | Record<string, unknown>): [string, string][] =>
  checkFormat(format as FormatInput).map(({ path, message }) => [path, message]);

describe('endpoint format', () => {
  test('is a name, or an object with options', () => {
    const good: (FormatInput | Record<string, unknown>)[] = [
      ...['standard', 'raw', 'thin', 'cloudevents', 'xml', 'form', 'slack', 'discord', 'teams'],
      { name: 'xml' },
      { name: 'slack', title: '{{ data.title }}', template: '*{{ type }}*', link: '{{ data.url }}', fields: ['a.b'] },
      { name: 'telegram', chatId: -1001234567890, threadId: 3, silent: true },
      { name: 'telegram', chatId: '@example' },
      { name: 'template', body: '{{ data | json }}', contentType: 'application/json' },
      {
        name: 'cloudevents',
        mode: 'binary',
        source: '/billing',
        attributes: { subject: 'Ü', dataschema: 'https://example.com/s' },
        handshake: { origin: 'events.example.com' },
      },
      { name: 'cloudevents', mode: null },
    ];
    for (const format of good) expect(faults(format), JSON.stringify(format)).toEqual([]);
    expect(normaliseFormat('cloudevents')).toEqual({ name: 'cloudevents', mode: 'structured' });
    expect(normaliseFormat({ name: 'slack', title: null } as never)).toEqual({ name: 'slack' });
  });

  test('is refused with the path of what is wrong', () => {
    const bad: [FormatInput | Record<string, unknown>, string, string][] = [
      ['json', '/format', 'There is no format "json". The formats are standard, raw'],
      [{ name: 'constructor' }, '/format/name', 'There is no format'],
      [{ name: 'xml', indent: 2 }, '/format/indent', 'has no options'],
      [{ name: 'slack', colour: 'red' }, '/format/colour', 'has the options title, template, link, fields'],
      [{ name: 'slack', template: '{{ x' }, '/format/template', 'line 1, column 1'],
      [{ name: 'slack', template: '{{ user.name }}' }, '/format/template', 'there is no variable user'],
      [{ name: 'slack', template: '' }, '/format/template', 'Give a template of 1 to'],
      [{ name: 'slack', fields: 'a' }, '/format/fields', 'Give up to 10 members'],
      ['telegram', '/format/chatId', 'needs the option chatId'],
      [{ name: 'telegram', chatId: 'me' }, '/format/chatId', '@example'],
      [{ name: 'template', body: 'x' }, '/format/contentType', 'needs the option contentType'],
      [{ name: 'template', body: 'x', contentType: 'image/png' }, '/format/contentType', 'whose escaping is known'],
      [{ name: 'template', body: 'x', contentType: 'text/plain\r\nx: y' }, '/format/contentType', 'Give a type'],
      [{ name: 'template', body: 'x', contentType: 'text/plain; charset=latin1' }, '/format/contentType', 'utf-8'],
      [{ name: 'cloudevents', mode: 'xml' }, '/format/mode', 'structured, binary, batch'],
      [{ name: 'cloudevents', source: 'a b' }, '/format/source', 'URI reference'],
      [{ name: 'cloudevents', attributes: { ID: 'x' } }, '/format/attributes', 'no name of an attribute'],
      [{ name: 'cloudevents', attributes: { id: 'x' } }, '/format/attributes', 'its own id'],
      [{ name: 'cloudevents', attributes: { subject: 'a\nb' } }, '/format/attributes', 'without control characters'],
      [{ name: 'cloudevents', attributes: { dataschema: '/x' } }, '/format/attributes', 'absolute URI'],
      [{ name: 'cloudevents', handshake: true }, '/format/handshake', '{origin}'],
      [{ name: 'cloudevents', handshake: { origin: 'https://a.example' } }, '/format/handshake', 'events.example.com'],
    ];
    for (const [format, path, message] of bad) {
      expect(faults(format), JSON.stringify(format)).toEqual([[path, expect.stringContaining(message)]]);
    }
  });

  test('says which formats can be batched', () => {
    const can = (format: FormatInput | Record<string, unknown>): boolean =>
      checkBatchFormat(normaliseFormat(format as FormatInput)).length === 0;
    const batched = ['standard', 'thin', 'xml', { name: 'cloudevents', mode: 'batch' }];
    expect(batched.map(can)).toEqual([true, true, true, true]);
    expect(can({ name: 'template', body: 'x', contentType: 'text/plain' })).toBe(true);
    expect(['raw', 'form', 'slack', 'discord', 'teams', 'cloudevents'].map(can)).toEqual(Array(6).fill(false));
    expect(checkBatchFormat(normaliseFormat('cloudevents'))).toEqual([
      {
        path: '/batch',
        message: 'The format cloudevents in mode structured has no form for several events. Give it the mode batch.',
      },
    ]);
    expect(checkBatchFormat(normaliseFormat('raw'))[0].message).toContain(
      'use one of standard, thin, xml, template, or cloudevents in mode batch',
    );
  });
});
