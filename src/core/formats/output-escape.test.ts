import fc from 'fast-check';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { ESCAPE, escapeFor } from './output-escape.ts';

const text = fc.string({ unit: 'binary' });

describe('output escape', () => {
  test('goes by the content type', () => {
    const types = {
      'application/json': 'json',
      'Application/VND.API+JSON; charset=utf-8': 'json',
      'text/html': 'markup',
      'application/soap+xml': 'markup',
      'application/x-www-form-urlencoded': 'form',
      'text/csv': 'csv',
      'text/plain': 'none',
      'image/png': null,
    };
    for (const [type, name] of Object.entries(types)) expect(escapeFor(type), type).toBe(name);
  });

  test('makes the inside of a JSON string', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(JSON.parse(`"${ESCAPE.json(value)}"`)).toBe(value);
      }),
    );
  });

  test('makes text and attributes of XML', () => {
    const parser = new XMLParser({
      ignoreAttributes: false,
      trimValues: false,
      parseTagValue: false,
      htmlEntities: true,
    });
    fc.assert(
      fc.property(text, (value) => {
        const xml = `<a b="${ESCAPE.markup(value)}">${ESCAPE.markup(value)}</a>`;
        expect(XMLValidator.validate(xml)).toBe(true);
        if (!/[^\x21-\x7e]/.test(value) && value !== '') expect(parser.parse(xml).a['#text'] ?? '').toBe(value);
      }),
    );
    expect(ESCAPE.markup('\0\ud800')).toBe('\ufffd\ufffd');
  });

  test('makes a value of a form', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect([...new URLSearchParams(`a=${ESCAPE.form(value)}`)]).toEqual([['a', value.toWellFormed()]]);
      }),
    );
  });

  test('makes the inside of a quoted field of CSV', () => {
    expect(ESCAPE.csv('say "hi"')).toBe('say ""hi""');
  });
});
