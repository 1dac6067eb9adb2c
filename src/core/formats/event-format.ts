// What a format makes of an event: the body of the request, its content type, and headers of its own.
import type { LogEvent } from '../event.ts';

/** What formats see of an event. */
export type FormattedEvent = Pick<
  LogEvent,
  'appId' | 'id' | 'type' | 'timeMs' | 'position' | 'channels' | 'data' | 'origin'
>;

export interface FormattedBody {
  body: Buffer;
  contentType: string;
  /** Names in lower case. */
  headers?: Record<string, string>;
  /** Headers that the event was received with, which go before all others. */
  received?: Record<string, string>;
}

export interface EventFormat {
  /** The same bytes for the same event, in every attempt. @throws FormatError */
  one(event: FormattedEvent): FormattedBody;
  /** Several events in one body; null where the format has no form for that. @throws FormatError */
  readonly many: ((events: readonly FormattedEvent[]) => FormattedBody) | null;
}

/** The bytes that one body may have; every format but `standard` may make more of an event than was published. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** An event cannot be written in the endpoint's format; told to the user as it stands. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  /** Whether it is no fault of event or format, and may end otherwise when it is tried again. */
  readonly isPassing: boolean;

  constructor(message: string, { isPassing = false }: { isPassing?: boolean } = {}) {
    super(message);
    this.isPassing = isPassing;
  }
}

export function jsonBody(value: unknown): FormattedBody {
  return { body: Buffer.from(JSON.stringify(value)), contentType: 'application/json' };
}
