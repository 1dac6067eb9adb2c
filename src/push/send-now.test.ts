import { describe, expect, test } from 'vitest';
import { testIds } from '../../test/event-log.ts';
import { anEndpoint, anEvent, DELIVERED } from '../../test/lane-alone.ts';
import { sendNow } from './send-now.ts';

describe('send now', () => {
  test('says that the outcome is not recorded when the lease is lost before it is', async () => {
    const sending = sendNow(
      {
        attempts: { send: (_, done) => void setImmediate(done, DELIVERED) },
        newAttempt: () => ({ attemptUuid: testIds.uuid(), day: '2026-11-21', startedMs: Date.now() }),
        flush: (item) => item.dropped?.(),
      },
      {
        appId: testIds.id('app'),
        endpoint: anEndpoint({ id: testIds.id('endpoint') }),
        event: anEvent(1),
        cause: 'resend',
        attempt: 2,
      },
    );
    await expect(sending).rejects.toMatchObject({ code: 'unclear' });
  });
});
