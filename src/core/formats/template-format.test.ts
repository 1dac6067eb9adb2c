import fc from 'fast-check';
import { XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { FormatError } from './event-format.ts';
import { templateFormat } from './template-format.ts';

describe('template', () => {
  test('is the body, with the content type that was given', () => {
    const { one } = templateFormat({ body: 'Paid: {{ data.amount }}', contentType: 'text/plain' });
    const { body, contentType } = one(formattedEvent(null, { json: '{"amount":12.50}' }));
    expect([body.toString(), contentType]).toEqual(['Paid: 12.50', 'text/plain']);
  });

  test('has several events as a list', () => {
    const body =
      '[{% for event in events %}{% unless forloop.first %},{% endunless %}{"n":{{ event.data | json }}}{% endfor %}]';
    const { one, many } = templateFormat({ body, contentType: 'application/json' });
    expect(many!([formattedEvent(1), formattedEvent('"')]).body.toString()).toBe('[{"n":1},{"n":"\\""}]');
    expect(one(formattedEvent(1)).body.toString()).toBe('[{"n":1}]');
  });

  test('is well-formed whatever comes from the event', () => {
    const json = templateFormat({
      body: '{"a":"{{ data.a }}","b":{{ data.a | json }}}',
      contentType: 'application/json',
    });
    const xml = templateFormat({ body: '<a b="{{ data.a }}">{{ data.a }}</a>', contentType: 'application/xml' });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()), (a) => {
        const event = formattedEvent({ a });
        expect(JSON.parse(json.one(event).body.toString()).b).toEqual(JSON.parse(JSON.stringify(a)));
        expect(XMLValidator.validate(xml.one(event).body.toString())).toBe(true);
      }),
    );
  });

  test('fails for an event of which it makes no JSON', () => {
    const { one } = templateFormat({ body: '{"a":{{ data.a }}}', contentType: 'application/json' });
    expect(one(formattedEvent({ a: 1 })).body.toString()).toBe('{"a":1}');
    expect(() => one(formattedEvent({}))).toThrow(FormatError);
    expect(() => one(formattedEvent({}))).toThrow('What the template makes of the event');
  });

  test('fails for an event that it cannot be written for, with the place', () => {
    const { one } = templateFormat({
      body: '{% for i in (1..data.n) %}{{ i }}{% endfor %}',
      contentType: 'text/plain',
    });
    expect(one(formattedEvent({ n: 3 })).body.toString()).toBe('123');
    expect(() => one(formattedEvent({ n: 1_000_000 }))).toThrow(
      /^The template fails at line 1, column \d+: it needs more/,
    );
  });
});
