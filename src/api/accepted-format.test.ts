import { describe, expect, test } from 'vitest';
import { acceptedFormat } from './accepted-format.ts';

describe('accepted format', () => {
  test.each([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/json', 'json'],
    ['application/*', 'json'],
    ['Application/JSON; charset=utf-8', 'json'],
    ['application/json, text/plain, */*', 'json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'json'],
    ['application/x-ndjson', 'ndjson'],
    ['application/json;q=0.5, application/x-ndjson', 'ndjson'],
    ['application/json;q=0, */*', 'ndjson'],
    ['application/cloudevents-batch+json', 'cloudevents'],
    ['text/html, application/cloudevents-batch+json;q=0.1', 'cloudevents'],
    ['application/cloudevents-batch+json; q=0.3, application/*;q=0.2', 'cloudevents'],
  ])('%s gives %s', (accept, name) => {
    expect(acceptedFormat(accept).name).toBe(name);
  });

  test.each(['text/html', 'application/json;q=0', 'application/cloudevents+json', 'text/*', 'json'])(
    '%s gives none',
    (accept) => {
      expect(() => acceptedFormat(accept)).toThrow(expect.objectContaining({ code: 'not_acceptable', status: 406 }));
    },
  );
});
