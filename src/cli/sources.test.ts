import { afterEach, describe, expect, test, vi } from 'vitest';
import { PROVIDERS } from '../inbound/provider-table.ts';
import { runCli } from './program.ts';

/** What a command prints on standard output, and its exit code. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const keep = (stream: 'out' | 'err') => (text: string | Uint8Array) => {
    printed[stream] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(keep('err'));
  const code = await runCli(['sources', 'providers', ...args]);
  vi.restoreAllMocks();
  return { code, ...printed };
}

describe('sources providers', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test('lists every provider in a line', async () => {
    const { code, out } = await run();
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual(PROVIDERS.map(({ id }) => id));
    expect(lines.find((line) => line.startsWith('github '))).toMatch(
      /^github +GitHub +vector +HMAC-SHA256, hex, in x-hub-signature-256 after sha256=, over the body$/,
    );
  });

  test('tells all about one', async () => {
    const { code, out } = await run('zoom');
    expect(code).toBe(0);
    expect(out).toMatch(/^Zoom \(zoom\)\n/);
    expect(out).toContain('secret     the secret token of the app\n');
    expect(out).toContain('handshake  endpoint.url_validation: ');
    expect(out).toContain('id         the body’s hash\n');
  });

  test('prints one line of JSON for programs', async () => {
    const { out } = await run('--json', 'hmac');
    expect(out).toMatch(/^[^\n]+\n$/);
    const { providers } = JSON.parse(out) as { providers: { id: string; options: { name: string }[] }[] };
    expect(providers.map(({ id }) => id)).toEqual(['hmac']);
    expect(providers[0].options.map(({ name }) => name)).toContain('timestampHeader');
  });

  test('says which there are where there is none of that name', async () => {
    const { code, err } = await run('gihub');
    expect(code).toBe(2);
    expect(err).toBe('tidings: There is no provider gihub. tidings sources providers lists those that there are.\n');
  });
});
