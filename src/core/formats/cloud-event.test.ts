import { type CloudEventV1, HTTP } from 'cloudevents';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { type CloudEventOptions, cloudEventFormat } from './cloud-event.ts';
import type { FormattedBody } from './event-format.ts';

/** What the official package makes of a request. */
function read({ body, contentType, headers }: FormattedBody): CloudEventV1<unknown>[] {
  const read = HTTP.toEvent<unknown>({ headers: { ...headers, 'content-type': contentType }, body: body.toString() });
  return (Array.isArray(read) ? read : [read]).map((event) => JSON.parse(JSON.stringify(event)));
}

const event = formattedEvent({ amount: 4200 }, { channels: ['eu', 'vip'] });
const attributes = {
  specversion: '1.0',
  id: event.id,
  source: `urn:tidings:app:${event.appId}`,
  type: 'invoice.paid',
  time: '2026-11-21T10:00:00.000Z',
  sequence: '000000000000007',
  channels: 'eu,vip',
  datacontenttype: 'application/json',
};

describe('CloudEvents', () => {
  test('are what the official package reads, in each mode', () => {
    for (const mode of ['structured', 'binary', 'batch'] as const) {
      expect(read(cloudEventFormat({ mode }).one(event)), mode).toEqual([{ ...attributes, data: { amount: 4200 } }]);
    }
  });

  test('have data byte for byte', () => {
    const json = '{ "amount": 12.50, "big": 12345678901234567890 }';
    const exact = formattedEvent(null, { json });
    expect(cloudEventFormat({ mode: 'binary' }).one(exact).body.toString()).toBe(json);
    expect(cloudEventFormat({ mode: 'structured' }).one(exact).body.toString()).toContain(`"data":${json}}`);
  });

  test('have content types of the specification', () => {
    const types = (['structured', 'binary', 'batch'] as const).map(
      (mode) => cloudEventFormat({ mode }).one(event).contentType,
    );
    expect(types).toEqual([
      'application/cloudevents+json; charset=utf-8',
      'application/json',
      'application/cloudevents-batch+json; charset=utf-8',
    ]);
  });

  test('come several in one body in mode batch, and in no other', () => {
    const other = formattedEvent('x', { id: 'evt_2', position: 8 });
    const batch = read(cloudEventFormat({ mode: 'batch' }).many!([event, other]));
    expect(batch.map(({ id, data }) => [id, data])).toEqual([
      [event.id, { amount: 4200 }],
      ['evt_2', 'x'],
    ]);
    expect(cloudEventFormat({ mode: 'structured' }).many).toBe(null);
    expect(cloudEventFormat({ mode: 'binary' }).many).toBe(null);
  });

  test('say to whom consent was given', () => {
    const { headers } = cloudEventFormat({ mode: 'structured', handshake: { origin: 'events.example.com' } }).one(
      event,
    );
    expect(headers).toEqual({ 'webhook-request-origin': 'events.example.com' });
  });

  test('encode in headers what may not stand there, as the HTTP binding has it', () => {
    const { headers } = cloudEventFormat({ mode: 'binary', attributes: { subject: 'Euro € "50%" 😀~' } }).one(event);
    expect(headers!['ce-subject']).toBe('Euro%20%E2%82%AC%20%2250%25%22%20%F0%9F%98%80~');
  });

  test('keep attributes of any text in every mode', () => {
    const options = fc.record({
      source: fc.webUrl({ withQueryParameters: true }),
      attributes: fc.dictionary(
        fc.stringMatching(/^x[a-z0-9]{1,19}$/),
        fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\p{Cc}\p{Cs}\p{Cn}]/u.test(text)),
      ),
      mode: fc.constantFrom('structured', 'binary', 'batch'),
    }) as fc.Arbitrary<CloudEventOptions>;
    fc.assert(
      fc.property(options, fc.dictionary(fc.string(), fc.jsonValue()), (chosen, data) => {
        const sent = formattedEvent(data);
        const formatted = cloudEventFormat(chosen).one(sent);
        for (const value of Object.values(formatted.headers ?? {})) expect(value).toMatch(/^[\x21\x23-\x7e]*$/);
        const [read1] = read({ ...formatted, headers: decoded(formatted.headers) });
        expect(read1).toMatchObject({ ...chosen.attributes, source: chosen.source, id: sent.id });
        expect(read1.data).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });
});

/** The package does not decode: HTTP binding, 3.1.3.2, last paragraph. */
function decoded(headers: Record<string, string> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const bytes: number[] = [];
      for (let i = 0; i < value.length; i++) {
        if (value[i] !== '%') bytes.push(value.charCodeAt(i));
        else {
          bytes.push(Number.parseInt(value.slice(i + 1, i + 3), 16));
          i += 2;
        }
      }
      return [name, Buffer.from(bytes).toString()];
    }),
  );
}
