import { describe, expect, test } from 'vitest';
import { writeExact } from '../../core/formats/exact-json.ts';
import type { FetchConfig } from './fetch-config.ts';
import { readItems } from './read-items.ts';

const read = (body: string | Buffer, contentType: string, config: Partial<FetchConfig> = {}, isWhole = false) =>
  readItems(Buffer.from(body), contentType, config, isWhole);
const itemsOf = (...request: Parameters<typeof read>): string[] => read(...request).items.map(writeExact);
const json = 'application/json; charset=utf-8';

describe('items of an answer', () => {
  test('are a list in JSON, their numbers as written', () => {
    expect(itemsOf('[{"id":1.50},{"id":12345678901234567890}]', json)).toEqual([
      '{"id":1.50}',
      '{"id":12345678901234567890}',
    ]);
    expect(itemsOf('{"data":{"orders":[1,2]}}', json, { items: 'data.orders' })).toEqual(['1', '2']);
    expect(itemsOf('{"a":[{"o":1},{"o":2}]}', json, { items: 'a[*].o' })).toHaveLength(2);
    expect(itemsOf('{"a":[]}', json, { items: 'a[*].o' })).toEqual([]);
    expect(itemsOf('{"k1":{"v":1},"k2":{"v":2}}', json, { items: '*' })).toEqual(['{"v":1}', '{"v":2}']);
    expect(itemsOf('{"a":1}', json, {}, true)).toEqual(['{"a":1}']);
  });

  test.each([
    ['cut off', '[{"id":1},{"id"', {}],
    ['something else', '<html>Be right back</html>', {}],
    ['nothing', '', {}],
    ['an object in place of a list', '{"error":"busy"}', {}],
    ['without what was named', '{"data":{}}', { items: 'data.orders' }],
    ['null in place of a list', '{"data":null}', { items: 'data' }],
  ])('are never taken from JSON that is %s', (_, body, config) => {
    expect(() => read(body, json, config)).toThrow(expect.objectContaining({ reason: 'not_understood' }));
  });

  test('are the lines of NDJSON', () => {
    expect(itemsOf('{"a":1}\n\r\n{"a":2}\n', 'application/x-ndjson')).toEqual(['{"a":1}', '{"a":2}']);
    expect(() => read('{"a":1}\n{"a"', 'application/x-ndjson')).toThrow(/not valid as ndjson/);
  });

  test('are the rows of CSV', () => {
    const body = '\ufeffid;name\r\n1;"a; ""b"""\r\n2;c\r\n';
    expect(itemsOf(body, 'text/csv')).toEqual(['{"id":"1","name":"a; \\"b\\""}', '{"id":"2","name":"c"}']);
    expect(itemsOf('id\n1\n2\n', 'text/csv')).toHaveLength(2);
    expect(itemsOf('id,name\n', 'text/csv')).toEqual([]);
    expect(() => read('id,name\n1\n', 'text/csv')).toThrow(/row 1/);
    expect(() => read('id,name\n1,"a\n', 'text/csv')).toThrow(/not valid as csv/);
  });

  test('are elements of XML, which may expand nothing', () => {
    const body = '<r><order id="1"><n>5.0</n></order><order id="2"/></r>';
    expect(itemsOf(body, 'text/xml', { items: 'r.order' })).toEqual(['{"n":"5.0","@id":"1"}', '{"@id":"2"}']);
    expect(itemsOf('<r><order id="1"/></r>', 'text/xml', { items: 'r.order' })).toHaveLength(1);
    expect(itemsOf('<r></r>', 'text/xml', { items: 'r.order' })).toEqual([]);
    expect(() => read('<r><order>', 'text/xml', { items: 'r.order' })).toThrow(/not valid as xml/);
    const bomb = '<!DOCTYPE r [<!ENTITY a "aaaa">]><r>&a;</r>';
    expect(() => read(bomb, 'text/xml', { items: 'r' })).toThrow(/entities/);
  });

  test('are the entries of RSS, RDF and Atom in one shape', () => {
    const rss = `<?xml version="1.0"?><rss version="2.0"><channel><item><guid isPermaLink="false">a1</guid><title>T &amp; U</title>
      <link>https://e.example/1</link><pubDate>Sat, 21 Nov 2026 10:00:00 +0100</pubDate><category>x</category></item></channel></rss>`;
    const entry = { id: 'a1', title: 'T & U', link: 'https://e.example/1', publishedAt: '2026-11-21T09:00:00.000Z' };
    expect(JSON.parse(itemsOf(rss, 'application/rss+xml')[0])).toEqual({ ...entry, categories: ['x'] });
    expect(read(rss, 'text/xml').format).toBe('feed');
    const atom = `<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a1</id><title type="html">T &amp; U</title>
      <link rel="self" href="https://e.example/s"/><link href="https://e.example/1"/><updated>2026-11-21T09:00:00Z</updated></entry></feed>`;
    expect(JSON.parse(itemsOf(atom, 'application/atom+xml')[0])).toEqual({ ...entry, updatedAt: entry.publishedAt });
    const rdf = `<rdf:RDF xmlns:rdf="x" xmlns="y"><item rdf:about="a1"><title>T &amp; U</title><link>https://e.example/1</link>
      <dc:date>2026-11-21T09:00:00Z</dc:date></item></rdf:RDF>`;
    expect(JSON.parse(itemsOf(rdf, 'application/rdf+xml')[0])).toEqual(entry);
    expect(itemsOf('<rss><channel><title>x</title></channel></rss>', 'text/xml')).toEqual([]);
    expect(() => read('<html></html>', 'text/xml', { format: 'feed' })).toThrow(/no RSS or Atom/);
  });

  test('are decoded as the answer says, and strictly', () => {
    const latin = Buffer.from('[{"n":"é"}]', 'latin1');
    expect(itemsOf(latin, 'application/json; charset=iso-8859-1')).toEqual(['{"n":"é"}']);
    expect(() => read(latin, json)).toThrow(/not valid utf-8/);
    const xml = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><r><i>é</i></r>', 'latin1');
    expect(itemsOf(xml, 'text/xml', { items: 'r.i' })).toEqual(['"é"']);
  });
});
