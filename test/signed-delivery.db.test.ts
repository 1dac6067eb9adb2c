// Signatures from end to end: what a receiver is sent is what the library of its scheme accepts, also around a rotation.
import { createHash, createHmac } from 'node:crypto';
import { verify as verifyGitHub } from '@octokit/webhooks-methods';
import { createVerifier, httpbis } from 'http-message-signatures';
import Stripe from 'stripe';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';

let server: Running;
const receivers: Receiver[] = [];
beforeAll(async () => {
  server = await running();
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

const stripe = new Stripe('sk_test_none');

async function setup(signing: unknown, members: object = {}) {
  const hooks = await receiver();
  receivers.push(hooks);
  const appId = await server.anApp();
  const url = `${hooks.url}/hooks?to=me`;
  const endpointId = await server.anEndpoint(appId, { url, signing, ...members });
  const endpoint = `/v1/apps/${appId}/endpoints/${endpointId}`;
  const secret = (): Promise<{ secret: string; publicKey: string; keyId: string }> =>
    server.ask(`GET ${endpoint}/secret`);
  const next = async (): Promise<ReceivedRequest> => {
    const number = hooks.requests.length + 1;
    await server.publish(appId, { type: 'invoice.paid', data: { text: 'é €' } });
    return await hooks.request(number);
  };
  const rotate = (body: object = {}) => server.ask(`POST ${endpoint}/secret/rotate`, body);
  return { hooks, url, endpoint, appId, secret, next, rotate };
}

const isStripe = ({ body, headers }: ReceivedRequest, secret: string): boolean => {
  try {
    return stripe.webhooks.constructEvent(body, headers['stripe-signature']!, secret) !== null;
  } catch (error) {
    expect(error).toBeInstanceOf(Stripe.errors.StripeSignatureVerificationError);
    return false;
  }
};

describe('a delivery', () => {
  test('signed as GitHub signs is accepted by @octokit/webhooks-methods, before and after a rotation', async () => {
    const { secret, next, rotate } = await setup({ scheme: 'github' });
    const before = (await secret()).secret;
    const request = await next();
    const isGitHub = ({ body, headers }: ReceivedRequest, by: string): Promise<boolean> =>
      verifyGitHub(by, body.toString(), String(headers['x-hub-signature-256']));
    expect(request.headers).toMatchObject({
      'x-github-event': 'invoice.paid',
      'x-github-delivery': request.headers['webhook-id'],
    });
    expect(request.headers).not.toHaveProperty('webhook-signature');
    expect(await isGitHub(request, before)).toBe(true);
    const after = (await rotate()).secret;
    const rotated = await next();
    expect([await isGitHub(rotated, after), await isGitHub(rotated, before)]).toEqual([true, false]);
  });

  test('signed as Stripe signs is accepted by stripe, in the grace of a rotation by both secrets', async () => {
    const { secret, next, rotate } = await setup({ scheme: 'stripe' });
    const before = (await secret()).secret;
    expect(isStripe(await next(), before)).toBe(true);
    const after = (await rotate()).secret;
    const both = await next();
    expect([isStripe(both, before), isStripe(both, after)]).toEqual([true, true]);
    const last = (await rotate({ graceSeconds: 0 })).secret;
    const one = await next();
    expect([before, after, last].map((by) => isStripe(one, by))).toEqual([false, false, true]);
  });

  test.each(['hmac-sha256', 'ed25519'] as const)(
    'signed by RFC 9421 with %s is accepted by http-message-signatures, in the grace of a rotation by both keys',
    async (algorithm) => {
      const { url, secret, next, rotate } = await setup({ scheme: 'rfc9421', algorithm });
      type Key = Awaited<ReturnType<typeof secret>>;
      const verify = ({ method, headers }: ReceivedRequest, known: Key[], all = false): Promise<boolean | null> =>
        httpbis.verifyMessage(
          {
            all,
            requiredFields: ['@method', '@target-uri', 'content-digest', 'webhook-id'],
            keyLookup: async ({ keyid }) => {
              const key = known.find(({ keyId }) => keyId === keyid);
              if (key === undefined) return null;
              const by = key.publicKey ?? Buffer.from(key.secret, 'base64');
              return { id: keyid!, algs: [algorithm], verify: createVerifier(by, algorithm) };
            },
          },
          { method, url, headers: headers as Record<string, string> },
        );
      const before = await secret();
      const request = await next();
      expect(await verify(request, [before])).toBe(true);
      const digest = createHash('sha256').update(request.body).digest('base64');
      expect(request.headers['content-digest']).toBe(`sha-256=:${digest}:`);
      const after = await rotate();
      const both = await next();
      expect(await verify(both, [before, after], true)).toBe(true);
      expect(await verify(both, [before])).toBe(true);
      expect(await verify(both, [after])).toBe(true);
      await rotate({ graceSeconds: 0 });
      expect(await verify(await next(), [before, after])).not.toBe(true);
    },
  );

  test('signed by RFC 9421 covers the attributes of a CloudEvent in binary mode', async () => {
    const components = ['content-digest', 'ce-type', 'ce-id', 'ce-source'];
    const signing = { scheme: 'rfc9421', components };
    const { url, secret, next } = await setup(signing, { format: { name: 'cloudevents', mode: 'binary' } });
    const { method, headers } = await next();
    const key = createVerifier(Buffer.from((await secret()).secret, 'base64'), 'hmac-sha256');
    const verify = (changed: object): Promise<boolean | null> =>
      httpbis.verifyMessage(
        { requiredFields: components, keyLookup: async () => ({ verify: key }) },
        { method, url, headers: { ...(headers as Record<string, string>), ...changed } },
      );
    expect(headers['ce-type']).toBe('invoice.paid');
    expect(await verify({})).toBe(true);
    expect(await verify({ 'ce-type': 'invoice.voided' })).toBe(false);
  });

  test('signed with an HMAC of one own making carries what was asked for, also for a batch', async () => {
    const signing = {
      scheme: 'hmac',
      header: 'X-Acme-Signature',
      prefix: 'v0=',
      content: '{timestamp}.{url}.{body}',
      encoding: 'base64',
      algorithm: 'sha512',
      timestampHeader: 'X-Acme-Time',
      idHeader: 'X-Acme-Id',
    };
    for (const batch of [null, { maxEvents: 2, maxWaitMs: 0 }]) {
      const { url, secret, next } = await setup(signing, { batch });
      const { body, headers } = await next();
      const time = String(headers['x-acme-time']);
      const hmac = createHmac('sha512', (await secret()).secret);
      const signature = hmac.update(`${time}.${url}.`).update(body).digest('base64');
      expect(headers['x-acme-signature']).toBe(`v0=${signature}`);
      expect([time, headers['x-acme-id']]).toEqual([headers['webhook-timestamp'], headers['webhook-id']]);
    }
  });

  test('without a signature has none', async () => {
    const { headers } = await (await setup('none')).next();
    expect(Object.keys(headers).filter((name) => /signature|digest/.test(name))).toEqual([]);
    expect(headers).toHaveProperty('webhook-id');
  });
});
