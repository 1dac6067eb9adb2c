// A breaker as the API shows it.
import { z } from 'zod';
import { BREAKER_STATES, type BreakerSnapshot } from '../core/breaker.ts';
import { Time, timeText } from './text.ts';

export const BreakerSchema = z
  .object({
    state: z.enum(BREAKER_STATES),
    openSince: Time.nullable().describe('Since when it has not been reached; null when it is.'),
    nextProbeAt: Time.nullable().describe('When one attempt finds out whether it is back; null unless open.'),
  })
  .meta({ id: 'Breaker', description: 'Open: the endpoint cannot be reached, and is sent single probes only.' });

export function renderBreaker({ state, openSinceMs, nextProbeMs }: BreakerSnapshot): z.infer<typeof BreakerSchema> {
  return { state, openSince: timeText(openSinceMs), nextProbeAt: timeText(nextProbeMs) };
}
