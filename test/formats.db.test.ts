// What endpoints are sent and given in each format, through the whole server: one event, several in one request, and what cannot be written.
import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type ReceivedRequest, type Receiver, receiver } from './receiver.ts';
import { type Running, running } from './running.ts';
import { until } from './until.ts';

const PUBLIC_URL = 'https://events.example.com';

let server: Running;
const receivers: Receiver[] = [];
beforeAll(async () => {
  server = await running({ publicUrl: PUBLIC_URL });
});
afterEach(async () => {
  await Promise.all(receivers.splice(0).map((hooks) => hooks.close()));
});
afterAll(() => server.close());

async function setup(members: object) {
  const hooks = await receiver();
  receivers.push(hooks);
  const appId = await server.anApp();
  const { cursor: start } = await server.ask(`GET /v1/apps/${appId}/events?after=now`);
  const endpointId = await server.anEndpoint(appId, { url: hooks.url, ...members });
  const { secret } = await server.ask(`GET /v1/apps/${appId}/endpoints/${endpointId}/secret`);
  return {
    hooks,
    appId,
    endpointId,
    start,
    path: `/v1/apps/${appId}/endpoints/${endpointId}`,
    webhook: new Webhook(secret),
  };
}

const INVOICE = { type: 'invoice.paid', data: { amount: 4200, customer: { name: 'A & B' } } };

/** What is in a body, to be told apart by. */
const FORMATS: [name: string, format: unknown, contentType: string, holds: string][] = [
  ['standard', null, 'application/json', '"data":{"amount":4200,'],
  ['raw', 'raw', 'application/json', '{"amount":4200,"customer":{"name":"A & B"}}'],
  ['thin', 'thin', 'application/json', `"url":"${PUBLIC_URL}/v1/apps/`],
  ['cloudevents', 'cloudevents', 'application/cloudevents+json; charset=utf-8', '"specversion":"1.0"'],
  ['cloudevents binary', { name: 'cloudevents', mode: 'binary' }, 'application/json', '{"amount":4200'],
  [
    'cloudevents batch',
    { name: 'cloudevents', mode: 'batch' },
    'application/cloudevents-batch+json; charset=utf-8',
    '[{"',
  ],
  ['xml', 'xml', 'application/xml; charset=utf-8', '<name>A &amp; B</name>'],
  ['form', 'form', 'application/x-www-form-urlencoded', '&data%5Bcustomer%5D%5Bname%5D=A+%26+B'],
  ['slack', 'slack', 'application/json', '"blocks":['],
  ['discord', 'discord', 'application/json', '"embeds":['],
  ['teams', 'teams', 'application/json', '"type":"AdaptiveCard"'],
  ['telegram', { name: 'telegram', chatId: '@example' }, 'application/json', '"parse_mode":"HTML"'],
  [
    'template',
    { name: 'template', body: '<p>{{ data.customer.name }}</p>', contentType: 'text/html' },
    'text/html',
    '<p>A &amp; B</p>',
  ],
];

const eventOf = ({ headers, body }: ReceivedRequest) =>
  HTTP.toEvent({ headers: headers as never, body: body.toString() });

describe('formats', () => {
  test.each(FORMATS)(
    '%s is what an endpoint is sent, signed, and given when it pulls',
    async (_name, format, type, holds) => {
      const { hooks, appId, path, start, webhook } = await setup({ format });
      const { id } = await server.publish(appId, INVOICE);
      const { headers, body } = await hooks.request(1);
      expect(headers).toMatchObject({ 'content-type': type, 'webhook-id': id, 'tidings-attempt': '1' });
      expect(body.toString()).toContain(holds);
      // The verifier parses what it has verified: where that is no JSON, it fails only then.
      const signed = [body.toString(), headers as Record<string, string>] as const;
      if (type.includes('json')) webhook.verify(...signed);
      else expect(() => webhook.verify(...signed)).toThrow(SyntaxError);
      const { events } = await server.ask(`GET ${path}/events?after=${start}&signatures=true`);
      expect(events[0].webhook).toMatchObject({ body: body.toString(), headers: { 'content-type': type } });
    },
  );

  test('cloudevents are read by the official package in every mode', async () => {
    for (const mode of ['structured', 'binary', 'batch']) {
      const { hooks, appId } = await setup({ format: { name: 'cloudevents', mode, attributes: { subject: 'ü %' } } });
      const { id } = await server.publish(appId, INVOICE);
      const read = eventOf(await hooks.request(1));
      const subject = mode === 'binary' ? '%C3%BC%20%25' : 'ü %'; // which it does not decode
      expect(JSON.parse(JSON.stringify(read))).toMatchObject(mode === 'batch' ? [{ id, subject }] : { id, subject });
    }
  });

  test('several events come in one request where the format has an array', async () => {
    const list = '{% for event in events %}{{ event.id }};{% endfor %}';
    const formats = [
      'thin',
      'xml',
      { name: 'cloudevents', mode: 'batch' },
      { name: 'template', body: list, contentType: 'text/plain' },
    ];
    for (const format of formats) {
      const { hooks, appId } = await setup({ format, batch: { maxEvents: 3, maxWaitMs: 5000 } });
      const ids = await Promise.all([0, 1, 2].map(async () => (await server.publish(appId, INVOICE)).id));
      const { headers, body } = await hooks.request(1);
      expect(headers['tidings-batch-size']).toBe('3');
      for (const id of ids) expect(body.toString(), JSON.stringify(format)).toContain(id);
      expect(hooks.requests).toHaveLength(1);
    }
  });

  test('an event that cannot be written is dead with the reason, and holds up no other', async () => {
    const format = { name: 'template', body: '{"amount":{{ data.amount }}}', contentType: 'application/json' };
    const { hooks, appId, endpointId, path, start } = await setup({ format });
    const { id: bad } = await server.publish(appId, { type: 'x', data: {} });
    const { id: good } = await server.publish(appId, INVOICE);
    expect((await hooks.request(1)).headers['webhook-id']).toBe(good);
    await server.settled(appId, endpointId);
    const { data } = await server.ask(`GET /v1/apps/${appId}/dead`);
    expect(data).toMatchObject([{ event: bad, reason: 'format_failed' }]);
    const attempts = await server.ask(`GET ${path}/attempts`);
    const failed = attempts.data.find(({ event }: { event: string }) => event === bad);
    expect(failed).toMatchObject({
      outcome: 'rejected',
      status: null,
      error: expect.stringContaining('What the template makes of the event'),
    });
    const { events } = await server.ask(`GET ${path}/events?after=${start}&signatures=true`);
    expect(events).toMatchObject([
      { id: bad, webhook: null, formatError: failed.error },
      { id: good, webhook: { body: '{"amount":4200}' } },
    ]);
    // Mended, it is sent.
    await server.ask(`PATCH ${path}`, { format: { ...format, body: '{"amount":{{ data.amount | default: 0 }}}' } });
    expect(await server.ask(`POST /v1/apps/${appId}/events/${bad}/resend`, { endpoint: endpointId })).toMatchObject({
      outcome: 'delivered',
    });
    expect(hooks.requests[1].body.toString()).toBe('{"amount":0}');
  });

  test('an event in a batch that cannot be written leaves the others to be sent', async () => {
    const body =
      '[{% for event in events %}{% unless forloop.first %},{% endunless %}{"n":{{ event.data.amount }}}{% endfor %}]';
    const { hooks, appId } = await setup({
      format: { name: 'template', body, contentType: 'application/json' },
      batch: { maxEvents: 2, maxWaitMs: 5000 },
      retry: { delaysSeconds: [0] },
    });
    const { id: bad } = await server.publish(appId, { type: 'x', data: {} });
    await server.publish(appId, INVOICE);
    expect((await hooks.request(1)).body.toString()).toBe('[{"n":4200}]');
    const dead = async () => (await server.ask(`GET /v1/apps/${appId}/dead`)).data;
    await until(async () => (await dead()).length > 0);
    expect(await dead()).toMatchObject([{ event: bad, reason: 'format_failed' }]);
  });

  test('an endpoint that is asked for its consent has to give it, and is told the sender with each event', async () => {
    const hooks = await receiver();
    receivers.push(hooks);
    const appId = await server.anApp();
    const format = { name: 'cloudevents', handshake: { origin: 'events.example.com' } };
    const create = () => server.call(`POST /v1/apps/${appId}/endpoints`, { url: hooks.url, format });
    hooks.respondWith(204);
    expect(await create()).toMatchObject({ status: 400, body: { code: 'handshake_failed' } });
    expect((await server.ask(`GET /v1/apps/${appId}/endpoints`)).data).toEqual([]);
    hooks.respondWith([
      { status: 204, headers: { 'webhook-allowed-origin': 'events.example.com', 'webhook-allowed-rate': '6000' } },
      204,
    ]);
    expect(await create()).toMatchObject({ status: 201, body: { rate: { perSecond: 100 } } });
    await server.publish(appId, INVOICE);
    const { method, headers } = await hooks.request(3);
    expect([method, headers['webhook-request-origin']]).toEqual(['POST', 'events.example.com']);
  });
});
