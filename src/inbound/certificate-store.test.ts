import { describe, expect, test } from 'vitest';
import { CertificateStore } from './certificate-store.ts';

function setup() {
  const clock = { nowMs: 1_000_000 };
  const visits: { url: string; resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  const visit = (url: string) =>
    new Promise<string>((resolve, reject) => {
      visits.push({ url, resolve, reject });
    });
  return { clock, visits, store: new CertificateStore({ visit, now: () => clock.nowMs }) };
}

describe('certificate store', () => {
  test('fetches a certificate once, and again after an hour', async () => {
    const { clock, visits, store } = setup();
    const fetches = [store.fetch('https://a.example/'), store.fetch('https://a.example/')];
    expect(store.get('https://a.example/')).toBeUndefined();
    visits[0].resolve('PEM');
    await Promise.all(fetches);
    expect(visits).toHaveLength(1);
    expect(store.get('https://a.example/')).toBe('PEM');
    clock.nowMs += 3_600_001;
    expect(store.get('https://a.example/')).toBeUndefined();
  });

  test('leaves one alone that failed', async () => {
    const { clock, visits, store } = setup();
    const fetch = store.fetch('https://a.example/');
    visits[0].reject(new Error('It answered 404.'));
    await expect(fetch).rejects.toMatchObject({ code: 'unavailable', detail: expect.stringContaining('404') });
    await expect(store.fetch('https://a.example/')).rejects.toThrow('404');
    expect(visits).toHaveLength(1);
    clock.nowMs += 30_001;
    void store.fetch('https://a.example/');
    expect(visits).toHaveLength(2);
  });

  test('fetches few at a time', async () => {
    const { visits, store } = setup();
    const fetches = Array.from({ length: 4 }, (_, n) => store.fetch(`https://a.example/${n}`));
    await expect(store.fetch('https://a.example/4')).rejects.toMatchObject({ status: 503 });
    for (const { resolve } of visits) resolve('PEM');
    await Promise.all(fetches);
    expect(visits).toHaveLength(4);
  });
});
