import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { formFormat } from './form.ts';

function fieldsOf(json: string): [string, string][] {
  const { body, contentType } = formFormat.one(formattedEvent(null, { json }));
  expect(contentType).toBe('application/x-www-form-urlencoded');
  return [...new URLSearchParams(body.toString())];
}

describe('form', () => {
  test('names fields by their path, and keeps the digits of numbers', () => {
    const json = '{"customer":{"name":"A & B=C"},"lines":[{"sku":"x"},12.50],"none":null,"empty":{},"a]b":true}';
    expect(fieldsOf(json)).toEqual([
      ['id', 'evt_01k8xw4t0e00000000000000e1'],
      ['type', 'invoice.paid'],
      ['timestamp', '2026-11-21T10:00:00.000Z'],
      ['data[customer][name]', 'A & B=C'],
      ['data[lines][0][sku]', 'x'],
      ['data[lines][1]', '12.50'],
      ['data[none]', ''],
      ['data[empty]', ''],
      ['data[a]b]', 'true'],
    ]);
  });

  test('has data that is no object as one field', () => {
    expect(fieldsOf('"ü\\ud800"').at(-1)).toEqual(['data', 'ü\ufffd']);
    expect(fieldsOf('null').at(-1)).toEqual(['data', '']);
  });

  test('gives texts back as they were, in every place', () => {
    const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed());
    fc.assert(
      fc.property(fc.dictionary(text, text, { minKeys: 1 }), (data) => {
        const json = JSON.stringify(data);
        const read = fieldsOf(json).slice(3);
        // Numbers as keys come first, as in every object.
        const wanted = Object.entries(JSON.parse(json)).map(([key, value]) => [`data[${key}]`, value]);
        expect(read).toEqual(wanted);
      }),
    );
  });

  test('refuses a body that grows beyond bounds', () => {
    const deep = `${'{"a long name to repeat":'.repeat(100)}[${'0,'.repeat(100_000)}0]${'}'.repeat(100)}`;
    expect(() => fieldsOf(deep)).toThrow('bytes');
  });
});
