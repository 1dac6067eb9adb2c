import { describe, expect, test } from 'vitest';
import { hashRequest, readPageTags, writePageTag } from './page-tag.ts';

describe('page tag', () => {
  const hash = hashRequest('app_1 json 100');
  const page = { start: 5, end: 105, done: false };

  test('says which page it is of', () => {
    const tag = writePageTag(page, hash);
    expect(tag).toMatch(/^W\/"[\x21\x23-\x7e]+"$/); // RFC 9110, 8.8.3
    expect(readPageTags(tag, hash)).toEqual([page]);
    expect(readPageTags(tag.slice(2), hash)).toEqual([page]); // compared weakly
    const other = { start: 105, end: 105, done: true };
    expect(readPageTags(`"x", ${tag} ,${writePageTag(other, hash)}`, hash)).toEqual([page, other]);
  });

  test('of another request, and what is none, says nothing', () => {
    const tag = writePageTag(page, hashRequest('app_1 json 99'));
    for (const text of [undefined, '', '*', '"', tag, 'W/"5.105.f"', `"5.105.x.${hash}"`]) {
      expect(readPageTags(text, hash)).toEqual([]);
    }
  });
});
