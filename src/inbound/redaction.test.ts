import { describe, expect, test } from 'vitest';
import { MAX_KEPT_BODY_BYTES, redact } from './redaction.ts';

const SECRET = 'p@ss word/1';
const request = (members: Partial<Parameters<typeof redact>[0]> = {}) => ({
  rawHeaders: [],
  query: '',
  rawBody: Buffer.alloc(0),
  ...members,
});

describe('redaction', () => {
  test('takes out headers that are secret by their name, and leaves signatures', () => {
    const rawHeaders = ['Authorization', 'Bearer x', 'X-Api-Key', 'k', 'X-Gitlab-Token', 't', 'X-Signature', 's'];
    rawHeaders.push('Cookie', 'a=1', 'Idempotency-Key', 'i', 'X-Author', 'me');
    expect(redact(request({ rawHeaders }), []).headers).toEqual([
      ['Authorization', '[redacted]'],
      ['X-Api-Key', '[redacted]'],
      ['X-Gitlab-Token', '[redacted]'],
      ['X-Signature', 's'],
      ['Cookie', '[redacted]'],
      ['Idempotency-Key', 'i'],
      ['X-Author', 'me'],
    ]);
  });

  test('takes out the secrets of the source wherever they stand, in any spelling', () => {
    const basic = Buffer.from(SECRET).toString('base64');
    const spelt = encodeURIComponent(SECRET);
    const { headers, path, body } = redact(
      request({
        rawHeaders: ['X-Note', `is ${SECRET}`, 'X-Other', basic],
        query: `a=${spelt}&token=hidden&b=2`,
        rawBody: Buffer.concat([Buffer.from([0, 255]), Buffer.from(`${SECRET} ${basic}`), Buffer.from([128])]),
      }),
      [SECRET],
    );
    expect(headers).toEqual([
      ['X-Note', 'is [redacted]'],
      ['X-Other', '[redacted]'],
    ]);
    expect(path).toBe('/in/…?a=[redacted]&token=[redacted]&b=2');
    expect(body.equals(Buffer.from('\x00\xff[redacted] [redacted]\x80', 'latin1'))).toBe(true);
  });

  test('leaves what is too short to be a secret', () => {
    expect(redact(request({ rawBody: Buffer.from('abcabc') }), ['abc']).body.toString()).toBe('abcabc');
  });

  test('keeps the beginning of a long body, and none of a secret that is cut by its end', () => {
    const rawBody = Buffer.from('x'.repeat(MAX_KEPT_BODY_BYTES - 4) + SECRET);
    const { body, bodyBytes } = redact(request({ rawBody }), [SECRET]);
    expect(body).toHaveLength(MAX_KEPT_BODY_BYTES);
    expect(body.toString().replaceAll('x', '')).toBe('[red');
    expect(bodyBytes).toBe(rawBody.length);
  });

  test('keeps no U+0000, which Postgres has no text for', () => {
    const { headers, path } = redact(request({ rawHeaders: ['X-A', 'a\u0000b'], query: 'a=\u0000' }), []);
    expect(JSON.stringify([headers, path])).not.toContain('\\u0000');
  });
});
