import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { TidingsError } from '../core/errors.ts';
import { type AddressRules, buildGuard, parseTarget } from './address-guard.ts';

const PUBLIC_ONLY: AddressRules = { allowHttp: false, allowPrivate: [] };
const WITH_LOOPBACK: AddressRules = { allowHttp: true, allowPrivate: ['127.0.0.0/8', '::1/128'] };

function refusal(url: string, rules = PUBLIC_ONLY): { code: string; detail: string } {
  try {
    parseTarget(url, rules);
  } catch (error) {
    if (error instanceof TidingsError) return error;
    throw error;
  }
  throw new Error(`${url} was let through`);
}

describe('address guard', () => {
  const guard = buildGuard(PUBLIC_ONLY);

  test.each([
    '0.0.0.0 0.1.2.3 10.0.0.7 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254',
    '172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.1.1',
    '192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255',
    ':: ::1 ::7f00:1 ::127.0.0.1 ::5efe:7f00:1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 64:ff9b:1::7f00:1 100::1 1000::1 4000::1 5f00::1',
    '2001::1 2001:0:7f00:1::1 2001:2::1 2001:4:112::1 2001:10::1 2001:20::1 2001:1ff::1 2001:db8::1 2002:7f00:1::1',
    '2620:4f:8000::1 3ffe::1 3fff::1 3fff:fff::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1',
  ])('forbids %s', (addresses) => {
    for (const address of addresses.split(' ')) expect(guard(address), address).not.toBeNull();
  });

  test.each([
    '1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255',
    '172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255',
    '2606:4700:4700::1111 2a00:1450:4001::200e 2001:200::1 2001:4860:4860::8888 2003::1 3fff:1000::1 ::ffff:8.8.8.8 64:ff9b::808:808',
  ])('lets %s in', (addresses) => {
    for (const address of addresses.split(' ')) expect(guard(address), address).toBeNull();
  });

  test.each(['', 'localhost', '127.1', '0x7f.1', '2130706433', '127.0.0.1:80', '[::1]', '8.8.8.8 '])(
    'forbids %j, which is no address',
    (text) => {
      expect(guard(text)).not.toBeNull();
    },
  );

  test('lets in no IPv4 address that ipaddr.js does not call unicast', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 }), (octets) => {
        const address = new ipaddr.IPv4(octets);
        return guard(address.toString()) !== null || address.range() === 'unicast';
      }),
      { numRuns: 5000 },
    );
  });

  test('lets in no IPv6 address outside 2000::/3, nor one that ipaddr.js does not call unicast', () => {
    const parts = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(parts, (groups) => {
        const address = new ipaddr.IPv6(groups);
        if (['ipv4Mapped', 'rfc6052'].includes(address.range())) return true;
        return guard(address.toString()) !== null || (groups[0] >> 13 === 1 && address.range() === 'unicast');
      }),
      { numRuns: 5000 },
    );
  });

  test('judges an IPv4 address alike in all its clothes', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const plain = guard(text)?.cidr;
        return guard(`::ffff:${text}`)?.cidr === plain && guard(`64:ff9b::${text}`)?.cidr === plain;
      }),
    );
  });

  test('lets in the ranges that the rules name, in all their clothes, and no others', () => {
    const allowing = buildGuard({ allowHttp: true, allowPrivate: ['10.1.0.0/16', 'fd00::/8'] });
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::10.1.2.3', 'fd12::1'])
      expect(allowing(address)).toBeNull();
    for (const address of ['10.2.0.1', '127.0.0.1', '::1', 'fc00::1', '169.254.169.254']) {
      expect(allowing(address), address).not.toBeNull();
    }
  });

  test.each(['10.0.0.0', '10.0.0.0/33', 'private', '10/8', '::/129', ''])('refuses the range %j', (cidr) => {
    expect(() => buildGuard({ allowHttp: false, allowPrivate: [cidr] })).toThrow('is not a range of addresses');
  });
});

describe('target', () => {
  test('takes a URL apart', () => {
    expect(parseTarget('https://Hooks.Example.com/in?a=b%20c#part', PUBLIC_ONLY)).toEqual({
      origin: 'https://hooks.example.com',
      pool: 'https://hooks.example.com',
      identity: null,
      tls: true,
      host: 'hooks.example.com',
      port: 443,
      path: '/in?a=b%20c',
      literal: false,
    });
    expect(parseTarget('http://[2606:4700::1111]:8080', { allowHttp: true, allowPrivate: [] })).toEqual({
      origin: 'http://[2606:4700::1111]:8080',
      pool: 'http://[2606:4700::1111]:8080',
      identity: null,
      tls: false,
      host: '2606:4700::1111',
      port: 8080,
      path: '/',
      literal: true,
    });
    expect(parseTarget('https://example.com.:8443/', PUBLIC_ONLY)).toMatchObject({ host: 'example.com', port: 8443 });
  });

  // Every notation of a loopback, private or metadata address that a URL parser understands.
  test.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://127.0.1/',
    'https://0x7f.1/',
    'https://0x7f000001/',
    'https://0X7F.0x0.0x0.0x1/',
    'https://0177.0.0.1/',
    'https://017700000001/',
    'https://2130706433/',
    'https://127.0.0.1./',
    'https://%31%32%37.0.0.1/',
    'https://１２７.０.０.１/',
    'https://①②⑦.0.0.1/',
    'https://127。0。0。1/',
    'https://0/',
    'https://0.0.0.0/',
    'https://169.254.169.254/latest/meta-data/',
    'https://0xa9fea9fe/',
    'https://10.1/',
    'https://192.168.257/',
    'https://[::1]/',
    'https://[::]/',
    'https://[0:0:0:0:0:0:0:1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::ffff:0:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b::127.0.0.1]/',
    'https://[::7f00:1]/',
    'https://[::127.0.0.1]/',
    'https://[::5efe:7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[4000::1]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://localhost/',
    'https://LOCALHOST/',
    'https://localhost./',
    'https://app.localhost/',
    'https://ｌｏｃａｌｈｏｓｔ/',
    'https://127.0.0.1:8443/',
  ])('refuses %s', (url) => {
    const { code, detail } = refusal(url);
    expect(code).toBe('address_forbidden');
    expect(detail).toMatch(/Use a public address, or start the server with --allow-private \S+\/\d+\.$/);
  });

  test.each([
    ['ftp://example.com/', 'Use https:'],
    ['file:///etc/passwd', 'Use https:'],
    ['http://example.com/', '--allow-http'],
    ['https://user@example.com/', '`authorization` header'],
    ['https://user:secret@example.com/', '`authorization` header'],
    ['https://:secret@example.com/', '`authorization` header'],
    ['https://example.com:0/', 'port 0'],
    ['https://', 'is not a URL'],
    ['https://256.0.0.1/', 'is not a URL'],
    ['https://127.0.0.1.5/', 'is not a URL'],
    ['https://[fe80::1%25eth0]/', 'is not a URL'],
    ['https://exa mple.com/', 'is not a URL'],
    ['/hooks', 'is not a URL'],
  ])('refuses %s and says what to do', (url, advice) => {
    const { code, detail } = refusal(url);
    expect(code).toBe('invalid_url');
    expect(detail).toContain(advice);
  });

  test('does not repeat a password', () => {
    for (const scheme of ['https', 'http', 'ftp']) {
      expect(refusal(`${scheme}://user:secret@127.0.0.1/`).detail).not.toContain('secret');
    }
  });

  test('is let in by the rules', () => {
    for (const url of [
      'http://127.0.0.1:8080/',
      'http://localhost:8080/',
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
    ]) {
      expect(parseTarget(url, WITH_LOOPBACK).tls).toBe(false);
    }
    const only4 = { allowHttp: true, allowPrivate: ['127.0.0.0/8'] };
    expect(parseTarget('http://localhost/', only4).host).toBe('localhost');
    expect(refusal('http://10.0.0.1/', only4).code).toBe('address_forbidden');
  });
});
