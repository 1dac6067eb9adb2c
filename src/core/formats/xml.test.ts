import fc from 'fast-check';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { xmlFormat } from './xml.ts';

type Node = Record<string, unknown> & { ':@'?: Record<string, string> };

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  trimValues: false,
  parseTagValue: false,
  htmlEntities: true, // for references by number
});

function xmlOf(json: string): string {
  const { body, contentType } = xmlFormat.one(formattedEvent(null, { json }));
  expect(contentType).toBe('application/xml; charset=utf-8');
  return body.toString();
}

const nameOf = (node: Node): string => Object.keys(node).find((key) => key !== ':@')!;
const childrenOf = (node: Node): Node[] => node[nameOf(node)] as Node[];
const unescaped = (text: string): string =>
  text.replaceAll(/\\(?:\\|u([0-9a-f]{4}))/g, (_, hex?: string) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** An element as the JSON that it was, by docs/reference/formats.md and nothing else. */
function jsonOf(node: Node): string {
  const { type = 'string', escaped } = node[':@'] ?? {};
  const children = childrenOf(node);
  const text = children.map((child) => child['#text'] ?? '').join('');
  switch (type) {
    case 'object':
      return `{${children.map((child) => `${JSON.stringify(keyOf(child))}:${jsonOf(child)}`).join(',')}}`;
    case 'array':
      return `[${children.map(jsonOf).join(',')}]`;
    case 'null':
      return 'null';
    case 'string':
      return JSON.stringify(escaped === 'true' ? unescaped(text) : text);
    default:
      return text;
  }
}

function keyOf(node: Node): string {
  const { name, 'name-escaped': escaped } = node[':@'] ?? {};
  if (name === undefined) return nameOf(node);
  return escaped === 'true' ? unescaped(name) : name;
}

function readBack(xml: string): string {
  expect(XMLValidator.validate(xml)).toBe(true);
  const event = (parser.parse(xml) as Node[]).find((node) => nameOf(node) === 'event')!;
  return jsonOf(childrenOf(event)[0]);
}

describe('XML', () => {
  test('has keys as elements, types as attributes, and numbers with their digits', () => {
    const json = '{"customer":{"name":"A & B <c>"},"paid":true,"amount":12.50,"tags":["x","y"],"none":null,"a key":""}';
    expect(xmlOf(json)).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n' +
        '<event id="evt_01k8xw4t0e00000000000000e1" type="invoice.paid" timestamp="2026-11-21T10:00:00.000Z">' +
        '<data type="object"><customer type="object"><name>A &amp; B &lt;c&gt;</name></customer>' +
        '<paid type="boolean">true</paid><amount type="number">12.50</amount>' +
        '<tags type="array"><item>x</item><item>y</item></tags><none type="null"></none>' +
        '<entry name="a key"></entry></data></event>',
    );
  });

  test('is an element of events for several', () => {
    const events = ['1', '[]'].map((json, i) => formattedEvent(null, { json, id: `e${i}` }));
    const xml = xmlFormat.many!(events).body.toString();
    expect(XMLValidator.validate(xml)).toBe(true);
    expect(xml.replace(/^.*\n/, '')).toMatch(
      /^<events><event id="e0".*<data type="number">1<\/data><\/event><event id="e1".*<\/event><\/events>$/,
    );
  });

  test('takes every key and every text, also those that XML has no room for', () => {
    const texts = ['', ' ', '\t\r\n', '\0', '\ufffe', '\ud800', '\\u0000', '\\', ']]>', '<!--', '&amp;', '"\'', '𝒳'];
    const names = [
      'xml',
      'XmlThing',
      '1',
      '-a',
      'a:b',
      '__proto__',
      'constructor',
      'toString',
      'entry',
      'item',
      'data',
      'é',
    ];
    for (const text of [...texts, ...names]) {
      const json = `{${JSON.stringify(text)}:${JSON.stringify(text)}}`;
      expect(readBack(xmlOf(json)), json).toBe(json);
    }
  });

  test('can be read back to the same JSON', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[\x00-\x1f\\u0-9a-f<>&"' ]*$/),
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 }).map((units) => String.fromCharCode(...units)),
      fc.constantFrom('__proto__', 'constructor', 'xml', 'entry', 'name', 'type', 'length'),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(text, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(value, (data) => {
        const json = JSON.stringify(data);
        expect(readBack(xmlOf(json))).toBe(json);
      }),
      { numRuns: 300 },
    );
  });

  test('refuses a body that grows beyond bounds', () => {
    const key = JSON.stringify('k'.repeat(100));
    const list = `[${`{${key}:0},`.repeat(100_000)}0]`;
    expect(() => xmlOf(list)).toThrow('bytes');
  });
});
