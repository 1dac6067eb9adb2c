import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileContent } from './content-template.ts';
import { RequestView } from './webhook-request.ts';

const BODY = '{"a":{"b":"c"}}';

function view(headers: Record<string, string> = {}, rawQuery = ''): RequestView {
  return new RequestView({
    method: 'POST',
    query: new URLSearchParams(rawQuery),
    rawQuery,
    headers,
    rawBody: Buffer.from(BODY),
    remoteAddress: '192.0.2.1',
  });
}

/** What is signed, or what is missing for it in brackets. */
function build(template: string, request = view(), options: Record<string, string> = {}): string {
  const content = compileContent(template).build({ view: request, timestamp: '1614265330', options });
  if (typeof content === 'string') return `[${content}]`;
  return content.head + (content.withBody ? BODY : '') + content.tail;
}

describe('content template', () => {
  test('puts the parts together around the body', () => {
    expect(build('{body}')).toBe(BODY);
    expect(build('v0:{timestamp}:{body}')).toBe(`v0:1614265330:${BODY}`);
    expect(build('{body}{timestamp}')).toBe(`${BODY}1614265330`);
    expect(build('{method}{header:X-Id}{field:a.b}{crc32}', view({ 'x-id': '7' }))).toBe(`POST7c${crc32(BODY)}`);
  });

  test('adds the query of the request to a URL without one', () => {
    const options = { url: 'https://example.com/in' };
    expect(build('{url}', view({}, 'a=%2F'), options)).toBe('https://example.com/in?a=%2F');
    expect(build('{decodedUrl}', view({}, 'a=%2F%20%e4'), options)).toBe('https://example.com/in?a=/%20%e4');
    expect(build('{url}', view({}, 'a=b'), { url: 'https://example.com/in?c' })).toBe('https://example.com/in?c');
    expect(build('{option:url}', view({}, 'a=b'), options)).toBe('https://example.com/in');
  });

  test('names what is missing', () => {
    expect(build('{header:x-id}.{body}')).toBe('[header x-id]');
    expect(build('{body}.{option:url}')).toBe('[option url]');
    expect(build('{url}{body}')).toBe('[url]');
    expect(build('{field:a.c}{body}')).toBe('[field a.c]');
  });

  test('lets no value hold the literal after it, so that no two requests are signed alike', () => {
    expect(build('{header:x-id}.{timestamp}.{body}', view({ 'x-id': 'a.b' }))).toBe('[header x-id]');
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z.]{1,8}$/), fc.stringMatching(/^[a-z.]{1,8}$/), (a, b) => {
        const of = (id: string, kind: string): string =>
          build('{header:x-id}.{header:x-kind}.{body}', view({ 'x-id': id, 'x-kind': kind }));
        const [one, other] = [of(a, b), of(b, a)];
        if (a !== b && !one.startsWith('[')) expect(one).not.toBe(other);
      }),
    );
  });

  test('knows whether a changed body is noticed', () => {
    expect(compileContent('{timestamp}.{body}').coversBody).toBe(true);
    expect(compileContent('{timestamp}.{crc32}').coversBody).toBe(true);
    expect(compileContent('{timestamp}').coversBody).toBe(false);
  });

  test.each(['{nonsense}', '{header}', '{body:x}', '{}', '{body}{body}', '{constructor}'])('refuses %s', (template) => {
    expect(() => compileContent(template)).toThrow(/^The template/);
  });
});
