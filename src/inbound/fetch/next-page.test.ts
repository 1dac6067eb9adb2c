import { describe, expect, test } from 'vitest';
import type { ExactValue } from '../../core/formats/exact-json.ts';
import { firstPage, nextPage, type PageRead } from './next-page.ts';

const url = 'https://api.example.com/orders?page=1';
const read = (members: Partial<PageRead>): PageRead => ({
  index: 0,
  url,
  link: null,
  root: {} as ExactValue,
  items: 10,
  itemsSoFar: 10,
  ...members,
});

describe('next page', () => {
  test.each([
    ['<https://api.example.com/orders?page=2>; rel="next"', 'https://api.example.com/orders?page=2'],
    ['</orders?page=2>; rel=next', 'https://api.example.com/orders?page=2'],
    ['<?page=9>; rel="last", <?page=2>; title="a, b"; rel="next prev"', 'https://api.example.com/orders?page=2'],
    ['<?a=1,2>; rel="NEXT"', 'https://api.example.com/orders?a=1,2'],
    ['<?page=1>; rel="prev"', null],
    ['', null],
  ])('is in the Link header %s', (link, expected) => {
    expect(nextPage({ by: 'link' }, read({ link }))).toEqual(expected === null ? null : { url: expected });
  });

  test('is a URL or a cursor in the body', () => {
    const root = { paging: { next: '/orders?after=x', cursor: 'x' } };
    expect(nextPage({ by: 'nextUrl', path: 'paging.next' }, read({ root }))).toEqual({
      url: 'https://api.example.com/orders?after=x',
    });
    expect(nextPage({ by: 'cursor', path: 'paging.cursor', param: 'after' }, read({ root }))).toEqual({ value: 'x' });
    const ends: ExactValue[] = [
      {},
      { paging: null },
      { paging: { next: null, cursor: null } },
      { paging: { cursor: '' } },
    ];
    for (const end of ends) {
      expect(nextPage({ by: 'nextUrl', path: 'paging.next' }, read({ root: end }))).toBeNull();
      expect(nextPage({ by: 'cursor', path: 'paging.cursor' }, read({ root: end }))).toBeNull();
    }
  });

  test('is counted by pages or items, up to a short one', () => {
    expect(firstPage({ by: 'page' })).toEqual({ value: '1' });
    expect(firstPage({ by: 'offset' })).toEqual({ value: '0' });
    expect(firstPage({ by: 'link' })).toBeNull();
    expect(nextPage({ by: 'page', first: 0 }, read({ index: 2 }))).toEqual({ value: '3' });
    expect(nextPage({ by: 'offset' }, read({ items: 10, itemsSoFar: 30 }))).toEqual({ value: '30' });
    expect(nextPage({ by: 'offset', size: 11 }, read({}))).toBeNull();
    expect(nextPage({ by: 'page' }, read({ items: 0 }))).toBeNull();
    expect(nextPage(undefined, read({}))).toBeNull();
  });
});
