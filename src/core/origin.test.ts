import { describe, expect, test } from 'vitest';
import { encodeOrigin, type Origin, originalBody, parseOrigin } from './origin.ts';

describe('origin', () => {
  test('is read as it was written', () => {
    const origin: Origin = { contentType: 'text/plain; charset=utf-8', headers: { 'x-id': 'a"b' }, body: 'text' };
    expect(parseOrigin(encodeOrigin(origin))).toEqual(origin);
  });

  test('gives the body byte for byte as it was received', () => {
    const whole = { contentType: '', headers: {} };
    const json = Buffer.from('{ "n": 1e400 }');
    expect(originalBody(json, { ...whole, body: 'data' })).toBe(json);
    const text = 'a=1&b=\ufeffü\r\n';
    const inText = Buffer.from(JSON.stringify({ contentType: 'text/plain', text }));
    expect(originalBody(inText, { ...whole, body: 'text' })?.equals(Buffer.from(text))).toBe(true);
    const bytes = Buffer.from([0, 255, 128, 10]);
    const inBase64 = Buffer.from(JSON.stringify({ contentType: '', base64: bytes.toString('base64') }));
    expect(originalBody(inBase64, { ...whole, body: 'base64' })?.equals(bytes)).toBe(true);
    expect(originalBody(Buffer.from('null'), { ...whole, body: 'base64' })).toBeNull();
    expect(originalBody(inText, { ...whole, body: 'changed' })).toBeNull();
  });
});
