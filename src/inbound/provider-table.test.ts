import { sign as signGitHub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, test } from 'vitest';
import { PROVIDER_VECTORS, type ProviderVector, vectorRequest } from '../../test/provider-vectors.ts';
import { compileContent } from './content-template.ts';
import type { Provider } from './provider.ts';
import { findProvider, PROVIDERS } from './provider-table.ts';
import { type Received, receive } from './receive.ts';

const NOW = Date.parse('2026-11-21T10:00:00.000Z');
const BODY = '{"type":"thing.done","text":"größer, and a ✓"}';
const WHSEC = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

interface LibrarySignature {
  provider: string;
  library: string;
  secret: string;
  headers: () => Record<string, string> | Promise<Record<string, string>>;
}

function standardHeaders(prefix: 'webhook' | 'svix', signature: string): Record<string, string> {
  return {
    [`${prefix}-id`]: 'msg_1',
    [`${prefix}-timestamp`]: String(NOW / 1000),
    [`${prefix}-signature`]: signature,
  };
}

function bySvix(provider: string): LibrarySignature {
  return {
    provider,
    library: 'svix',
    secret: WHSEC,
    headers: () => standardHeaders('svix', new SvixWebhook(WHSEC).sign('msg_1', new Date(NOW), BODY)),
  };
}

function byStandardWebhooks(provider: string, secret = WHSEC, key = secret): LibrarySignature {
  return {
    provider,
    library: 'standardwebhooks',
    secret,
    headers: () => standardHeaders('webhook', new StandardWebhook(key).sign('msg_1', new Date(NOW), BODY)),
  };
}

/** Bodies that the vendors' own npm packages sign. */
const LIBRARIES: readonly LibrarySignature[] = [
  {
    provider: 'github',
    library: '@octokit/webhooks-methods',
    secret: 'a secret',
    headers: async () => ({ 'x-hub-signature-256': await signGitHub('a secret', BODY) }),
  },
  {
    provider: 'stripe',
    library: 'stripe',
    secret: 'whsec_test',
    headers: () => ({
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({
        payload: BODY,
        secret: 'whsec_test',
        timestamp: NOW / 1000,
      }),
    }),
  },
  ...['svix', 'clerk', 'resend'].map(bySvix),
  ...['standard-webhooks', 'openai', 'replicate', 'lithic', 'gitlab'].map((id) => byStandardWebhooks(id)),
  byStandardWebhooks('polar', 'polar_whs_test', Buffer.from('polar_whs_test').toString('base64')),
];

function provider(id: string): Provider {
  const found = findProvider(id);
  if (found === null) throw new Error(`There is no provider ${id}.`);
  return found;
}

function receiveVector(vector: ProviderVector): Received {
  const { secret, options = {}, atMs: nowMs = NOW } = vector;
  return receive(provider(vector.provider), vectorRequest(vector), { secrets: [secret], options, nowMs });
}

describe('provider table', () => {
  test.each(PROVIDER_VECTORS.map((vector) => [vector.provider, vector.source, vector] as const))(
    'reproduces the published signature of %s in %s',
    (_id, _source, vector) => {
      expect(receiveVector(vector)).toMatchObject({ kind: 'event' });
      const last = vector.body.length - 1;
      const changed = { ...vector, body: `${vector.body.slice(0, last)}${vector.body[last] === '!' ? '?' : '!'}` };
      expect(receiveVector(changed).kind).toBe('refused');
    },
  );

  test.each(LIBRARIES)('takes what $library signs for $provider', async ({ provider: id, secret, headers }) => {
    const vector = { provider: id, source: '', secret, headers: await headers(), body: BODY };
    expect(receiveVector(vector)).toMatchObject({ kind: 'event' });
    expect(receiveVector({ ...vector, body: `${BODY} ` })).toMatchObject({ kind: 'refused', reason: 'no_match' });
    const query = { ...vector, secret: `${secret.slice(0, -4)}AAAA` };
    expect(receiveVector(query)).toMatchObject({ kind: 'refused', reason: 'no_match' });
  });

  test('says of each provider how it was checked, and truly', () => {
    const vectors = new Set(PROVIDER_VECTORS.map((vector) => vector.provider));
    const libraries = new Set(LIBRARIES.map((library) => library.provider));
    for (const { id, evidence, checked } of PROVIDERS) {
      expect(checked, id).toMatch(/^[A-Z].*\.$/);
      if (vectors.has(id)) expect(evidence, id).toBe('vector');
      else if (libraries.has(id)) expect(evidence, id).not.toBe('vector');
      else expect(['source', 'documentation', 'catalogue'], id).toContain(evidence);
    }
  });

  test('has each provider once, with a page to compare it with', () => {
    const ids = PROVIDERS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, docs, name, secret } of PROVIDERS) {
      expect(id).toMatch(/^[a-z][a-z0-9-]{0,31}$/);
      expect(new URL(docs).protocol).toBe('https:');
      expect(name).not.toBe('');
      expect(secret, id).not.toMatch(/\.$/);
    }
    expect(findProvider('constructor')).toBeNull();
  });

  test('names headers in lower case, and templates that there are', () => {
    for (const { id, schemes, type } of PROVIDERS) {
      expect(JSON.stringify(type), id).not.toMatch(/"header":"[^"]*[A-Z]/);
      for (const scheme of schemes) {
        if (scheme.kind !== 'signature') continue;
        expect(JSON.stringify(scheme.signature), id).not.toMatch(/"header":"[^"]*[A-Z]/);
        expect(compileContent(scheme.content).coversBody, id).toBe(id !== 'mailgun');
        expect(scheme.content.includes('{timestamp}') || scheme.timestamp === undefined || id === 'linear', id).toBe(
          true,
        );
      }
    }
  });
});
