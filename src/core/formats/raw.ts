import { formatTime } from '../time.ts';
import type { EventFormat } from './event-format.ts';

/** The published data and nothing else, byte for byte; type and time in headers. */
export const rawFormat: EventFormat = {
  one: ({ data, type, timeMs }) => ({
    body: data,
    contentType: 'application/json',
    headers: { 'tidings-type': type, 'tidings-time': formatTime(timeMs) },
  }),
  many: null,
};
