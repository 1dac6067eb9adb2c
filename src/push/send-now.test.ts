import { describe, expect, test } from 'vitest';
import { testIds } from '../../test/event-log.ts';
import { ENDPOINT_DEFAULTS } from '../core/endpoint.ts';
import type { SendResult } from '../core/outcome.ts';
import { parseSecret } from '../core/signature.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import { sendNow } from './send-now.ts';

const DELIVERED: SendResult = {
  outcome: 'delivered',
  reason: 'delivered',
  status: 200,
  timings: { dnsUs: null, connectUs: null, tlsUs: null, firstByteUs: 1, totalUs: 2 },
  remoteAddress: null,
  responseHead: null,
  responseBody: null,
  retryAfterMs: null,
  error: null,
};

function anEndpoint(): LoadedEndpoint {
  return {
    id: testIds.id('endpoint'),
    config: {
      ...ENDPOINT_DEFAULTS,
      url: 'https://example.com/',
      maxConcurrency: 8,
      timeoutMs: 1000,
      disableAfterSeconds: 3600,
    },
    configVersion: 1,
    paused: false,
    disabled: false,
    skipThrough: 0,
    target: {} as LoadedEndpoint['target'],
    keys: () => [parseSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')],
    matches: () => true,
    exactTypes: null,
  };
}

describe('send now', () => {
  test('says that the outcome is not recorded when the lease is lost before it is', async () => {
    const sending = sendNow(
      {
        sender: { send: (_, done) => void setImmediate(done, DELIVERED) },
        newAttempt: () => ({ attemptUuid: testIds.uuid(), day: '2026-11-21', startedMs: Date.now() }),
        flush: (item) => item.dropped?.(),
        version: 'test',
      },
      {
        appId: testIds.id('app'),
        endpoint: anEndpoint(),
        event: { id: 'evt_1', type: 'a', timeMs: 0, data: Buffer.from('{}'), position: 1 },
        cause: 'resend',
        attempt: 2,
      },
    );
    await expect(sending).rejects.toMatchObject({ code: 'unclear' });
  });
});
