import { describe, expect, test } from 'vitest';
import { anEvent } from '../../test/lane-alone.ts';
import { ENDPOINT_DEFAULTS } from '../core/endpoint.ts';
import type { ConfiguredEndpoint } from '../storage/endpoints.ts';
import { loadEndpoint } from './loaded-endpoint.ts';

const RULES = { allowHttp: false, allowPrivate: [] };
const SECRET = { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null };

const configured = (settings: object = {}): ConfiguredEndpoint => ({
  appId: 'app_1',
  id: 'ep_1',
  uid: null,
  config: { ...ENDPOINT_DEFAULTS, url: 'https://example.com/hooks', ...settings },
  configVersion: 1,
  pausedAt: null,
  disabledAt: null,
  disabledReason: null,
  createdAt: new Date(0),
  updatedAt: new Date(0),
  skipThrough: 0,
  pulledThrough: 0,
  versions: [],
});

describe('loaded endpoint', () => {
  // Null is what the path of an event looks at: nothing is awaited, wrapped or made for an endpoint that asks for nothing special.
  test('of the plain kind has nothing that costs an event anything', () => {
    const endpoint = loadEndpoint(configured({ headers: { 'x-own': '1' } }), [SECRET], RULES);
    expect(endpoint).toMatchObject({
      format: null,
      signer: null,
      grant: null,
      echoes: null,
      headers: { 'x-own': '1' },
    });
    expect(endpoint.target).toMatchObject({ pool: 'https://example.com', identity: null });
    expect(endpoint.keys(1)).toBe(endpoint.keys(2));
    expect(endpoint.matches(anEvent(1))).toBe(true);
  });

  test('signs with old secrets until they end', () => {
    const old = { ...SECRET, expiresAt: new Date(1000) };
    const { keys } = loadEndpoint(configured(), [SECRET, old], RULES);
    expect([keys(999).length, keys(1000).length]).toEqual([2, 1]);
  });

  test('of another scheme has no keys of Standard Webhooks', () => {
    const endpoint = loadEndpoint(
      configured({ signing: { scheme: 'github' } }),
      [{ ...SECRET, secret: 'x'.repeat(16) }],
      RULES,
    );
    expect(endpoint.keys(0)).toEqual([]);
    expect(endpoint.signer).not.toBeNull();
  });
});
