import { z } from 'zod';
import { CAUSES, OUTCOMES, REASONS } from '../core/outcome.ts';
import type { Attempt } from '../storage/attempt-listing.ts';
import { Time } from './text.ts';

const Micros = z.int().nullable();

export const AttemptSchema = z
  .object({
    id: z.string(),
    endpoint: z.string().describe("The endpoint's id."),
    event: z.string().describe("The event's id; that of a test event is in no log."),
    position: z.int().nullable().describe("The event's position; null for a test event."),
    cause: z.enum(CAUSES),
    attempt: z.int().describe('1 for the first attempt of this event to this endpoint.'),
    transformVersion: z
      .int()
      .nullable()
      .describe("The version of the endpoint's transformation that it ran; null without one."),
    outcome: z
      .enum(OUTCOMES)
      .describe('`filtered`: the transformation returned null, so nothing was sent; `error` says why, as it wrote it.'),
    reason: z.enum(REASONS),
    status: z.int().nullable().describe('The HTTP status; null when no response came.'),
    startedAt: Time,
    timings: z
      .object({ dnsUs: Micros, connectUs: Micros, tlsUs: Micros, firstByteUs: Micros, totalUs: z.int() })
      .describe('Microseconds since the start; null for a phase that did not happen, as on a connection kept open.'),
    dead: z.boolean().describe('The event was given up with this attempt.'),
    remoteAddress: z.string().nullable(),
    responseHead: z.string().nullable(),
    responseBody: z
      .string()
      .nullable()
      .describe(
        'The first 16 KiB of the response, for failures only; as text where it is UTF-8, else with replacement characters.',
      ),
    responseBodyBase64: z.string().nullable().describe('The same as bytes, in base64.'),
    error: z
      .string()
      .nullable()
      .describe('What failed, in words, when no response came; of a transformation with line and column.'),
  })
  .meta({ id: 'Attempt', description: 'One HTTP request made for one event to one endpoint, with its outcome.' });

export function renderAttempt(attempt: Attempt): z.infer<typeof AttemptSchema> {
  return {
    id: attempt.id,
    endpoint: attempt.endpointId,
    event: attempt.eventId,
    position: attempt.position === 0 ? null : attempt.position,
    cause: attempt.cause,
    attempt: attempt.attempt,
    transformVersion: attempt.transformationVersion,
    outcome: attempt.outcome,
    reason: attempt.reason,
    status: attempt.status,
    startedAt: attempt.startedAt.toISOString(),
    timings: attempt.timings,
    dead: attempt.dead,
    remoteAddress: attempt.remoteAddress,
    responseHead: attempt.responseHead,
    responseBody: attempt.responseBody?.toString('utf8') ?? null,
    responseBodyBase64: attempt.responseBody?.toString('base64') ?? null,
    error: attempt.error,
  };
}
