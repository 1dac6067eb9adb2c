import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { SourceRequest } from '../storage/source-requests.ts';
import { Time, timeText } from './text.ts';

export const RequestSchema = z
  .object({
    id: z.string(),
    receivedAt: Time,
    cause: z
      .string()
      .nullable()
      .describe(
        'Why it did not become an event: `unknown_source`, `bad_signature`, `bad_handshake`, `method_not_allowed`, `not_ready`, `too_large`, `rate_limited`, `paused`, `duplicate`, `filtered`, `transform_failed`, `transform_unavailable`, `not_fetched`; null when it did, or was a handshake.',
      ),
    reason: z
      .string()
      .nullable()
      .describe(
        'What exactly was wrong, such as `timestamp_too_old`, `body_changed` or `transform_timeout`; null where the cause says it.',
      ),
    detail: z.string().nullable().describe('The same in words, with what to look at.'),
    method: z.string(),
    path: z.string(),
    headers: z.array(z.tuple([z.string(), z.string()])).describe('As they came, without secrets.'),
    body: z.string().nullable().describe('Its first 64 KiB; null when it is no text.'),
    bodyBase64: z.string().nullable().describe('The same when it is no text.'),
    bodyBytes: z.int().describe('Of the whole body.'),
    remoteAddress: z.string(),
    status: z.int().describe('What it was answered.'),
    type: z.string().nullable(),
    event: z.string().nullable().describe('The event that it became, or of a duplicate the one before.'),
    repeats: z.int().describe('How many more like it followed that were only counted.'),
  })
  .meta({ id: 'SourceRequest' });

export function renderRequest(request: SourceRequest): z.infer<typeof RequestSchema> {
  const { receivedMs, body, eventId, ...rest } = request;
  const isText = isUtf8(wholeCharacters(body));
  return {
    ...rest,
    receivedAt: timeText(receivedMs),
    body: isText ? wholeCharacters(body).toString('utf8') : null,
    bodyBase64: isText ? null : body.toString('base64'),
    event: eventId,
  };
}

/** Without the beginning of a character at the end, where the body was cut. */
function wholeCharacters(body: Buffer): Buffer {
  for (let cut = 0; cut < 4 && cut < body.length; cut++) {
    const kept = body.subarray(0, body.length - cut);
    if (isUtf8(kept)) return kept;
  }
  return body;
}
