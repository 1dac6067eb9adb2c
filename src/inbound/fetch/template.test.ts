import { describe, expect, test } from 'vitest';
import { fillText, fillUrl } from './template.ts';

describe('template', () => {
  test('fills the places of a URL, percent-encoded', () => {
    const url = fillUrl('https://a.example/x?since={since}&limit=5', { since: '2026-01-01T00:00:00+01:00' });
    expect(url).toBe('https://a.example/x?since=2026-01-01T00%3A00%3A00%2B01%3A00&limit=5');
    expect(fillUrl('https://a.example/x/{cursor}', { cursor: 'a/b?c' })).toBe('https://a.example/x/a%2Fb%3Fc');
  });

  test('leaves out a query parameter that has no value', () => {
    expect(fillUrl('https://a.example/x?since={since}', { since: null })).toBe('https://a.example/x');
    expect(fillUrl('https://a.example/x?a=1&since={since}', { since: null })).toBe('https://a.example/x?a=1');
  });

  test('leaves the braces of JSON alone', () => {
    expect(fillText('{"query":"{ orders }","after":"{cursor}"}', { cursor: 'c1' })).toBe(
      '{"query":"{ orders }","after":"c1"}',
    );
    expect(fillText('{"after":"{cursor}"}', { cursor: null })).toBe('{"after":""}');
  });
});
