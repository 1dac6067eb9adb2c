import { describe, expect, test } from 'vitest';
import { type AuthInput, credentialOf, openAuth } from '../core/endpoint-auth.ts';
import { parseTarget } from '../net/address-guard.ts';
import { loadCredential } from './loaded-credential.ts';

const RULES = { allowHttp: false, allowPrivate: [] };
const target = parseTarget('https://example.com/hooks', RULES);

const load = (input: AuthInput, { id = 'ep_1', credentialUuid = 'a' } = {}) =>
  loadCredential({ id, auth: openAuth(input), target }, { credentialUuid, credential: credentialOf(input) }, RULES);

describe('loaded credential', () => {
  test('of an endpoint without one is nothing at all', () => {
    const none = loadCredential({ id: 'ep_1', auth: null, target }, null, RULES);
    expect(none).toEqual({ headers: {}, echoes: null, grant: null, target });
    expect(none.target).toBe(target);
  });

  test('that is a header needs no grant, and shares the connections of the origin', () => {
    const { headers, grant, echoes, target: own } = load({ type: 'bearer', token: 'a-token' });
    expect(headers).toEqual({ authorization: 'Bearer a-token' });
    expect([grant, own]).toEqual([null, target]);
    expect(echoes).toEqual(['Bearer a-token', 'a-token']);
  });

  test('that is a client certificate has connections of its own for each endpoint, and after each change', () => {
    const first = credentialOf({ type: 'mtls', certificate: 'certificate', key: 'key' });
    const auth = { type: 'mtls', ownAuthorities: false, subject: '', fingerprint: '', expiresAt: '' } as const;
    const poolOf = (id: string, credentialUuid: string): string => {
      const loaded = loadCredential({ id, auth, target }, { credentialUuid, credential: first }, RULES).target;
      return (loaded as typeof target).pool;
    };
    const pools = [target.pool, poolOf('ep_1', 'a'), poolOf('ep_1', 'b'), poolOf('ep_2', 'a')];
    expect(new Set(pools).size).toBe(4);
    expect(poolOf('ep_1', 'a')).toBe(pools[1]);
  });

  test('that is a grant is for a token of this endpoint and credential, where the rules let it be asked for', () => {
    const client = { type: 'oauth2', clientId: 'me', clientSecret: 'hush' } as const;
    const { grant, headers } = load({ ...client, tokenUrl: 'https://auth.example.com/token' });
    expect(headers).toEqual({});
    expect(grant).toMatchObject({
      key: 'ep_1 a',
      clientSecret: 'hush',
      target: { origin: 'https://auth.example.com' },
    });
    const forbidden = load({ ...client, tokenUrl: 'https://10.0.0.7/token' }).grant!.target;
    expect(forbidden).toMatchObject({ code: 'address_forbidden', detail: expect.stringContaining('The token URL') });
  });
});
