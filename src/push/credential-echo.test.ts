import { describe, expect, test } from 'vitest';
import { credentialOf } from '../core/endpoint-auth.ts';
import { echoesOf, hideEchoes, hideEchoesInBytes } from './credential-echo.ts';

const basic = credentialOf({ type: 'basic', username: 'tidings', password: 'pässwörd' });
const BASIC = echoesOf((basic as { headers: Record<string, string> }).headers);

describe('credential echo', () => {
  test('is hidden as it was sent, without its scheme, and decoded', () => {
    const encoded = Buffer.from('tidings:pässwörd').toString('base64');
    expect(hideEchoes(`a ${encoded} b Basic ${encoded} c tidings:pässwörd d pässwörd`, BASIC)).toBe(
      'a [credential] b [credential] c [credential] d [credential]',
    );
  });

  test('is hidden as JSON escapes it', () => {
    const value = 'a"b/c\\d/$&';
    const echoes = echoesOf({ 'x-key': value });
    expect(hideEchoes(JSON.stringify({ value }), echoes)).toBe('{"value":"[credential]"}');
    expect(hideEchoes(JSON.stringify({ value }).replaceAll('/', '\\/'), echoes)).toBe('{"value":"[credential]"}');
  });

  test('is hidden in bytes, which stay as they are around it', () => {
    const around = Buffer.from([0xff, 0x00, 0xc3, 0xa9]);
    const hidden = hideEchoesInBytes(Buffer.concat([around, Buffer.from('pässwörd'), around]), BASIC);
    expect(hidden).toEqual(Buffer.concat([around, Buffer.from('[credential]'), around]));
    expect(hideEchoesInBytes(around, BASIC)).toBe(around);
  });

  test('is not looked for when it is so short that it is found everywhere', () => {
    expect(echoesOf({ 'x-key': 'true' })).toEqual([]);
  });
});
