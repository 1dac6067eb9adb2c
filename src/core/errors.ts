// Every error that a client can see is a row here: code, HTTP status, title. The API renders RFC 9457 problem+json from it,
// and docs/reference/errors.md is held against this table by a test.

export const ERRORS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_cursor: { status: 400, title: 'The cursor is not valid' },
  invalid_url: { status: 400, title: 'The URL cannot be used' },
  address_forbidden: { status: 400, title: 'The URL leads to a forbidden address' },
  handshake_failed: { status: 400, title: 'The endpoint has not agreed to be sent events' },
  unauthorized: { status: 401, title: 'The API key is missing or not valid' },
  forbidden: { status: 403, title: 'The API key does not permit this' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  not_acceptable: { status: 406, title: 'The Accept header allows no format that there is' },
  conflict: { status: 409, title: 'The request conflicts with what is stored' },
  uid_taken: { status: 409, title: 'The uid is taken' },
  idempotency_conflict: { status: 409, title: 'The key was used with another body' },
  endpoint_paused: { status: 409, title: 'The endpoint is paused or disabled' },
  consumer_leased: { status: 409, title: 'The consumer is leased by another' },
  lease_lost: { status: 409, title: 'The lease is over' },
  commit_refused: { status: 409, title: 'The cursor cannot be committed' },
  cursor_ahead: { status: 409, title: 'The cursor is ahead of the log' },
  breaking_change: { status: 409, title: 'The change may break receivers or publishers' },
  cursor_expired: { status: 410, title: 'The cursor is past retention' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The content type is not supported' },
  schema_violation: { status: 422, title: 'The data does not fit the schema of its event type' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'The server failed' },
  overloaded: { status: 503, title: 'The server is overloaded' },
  unavailable: { status: 503, title: 'The database cannot be reached' },
  unclear: { status: 503, title: 'It is not known whether the request was carried out' },
} as const;
export type ErrorCode = keyof typeof ERRORS;

/** One thing wrong with the request, at a path such as `/data/amount`. */
export interface FieldError {
  path: string;
  message: string;
}

/** An error meant for the client. `detail` names the thing, what is wrong with it, and what to do. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: string;
  readonly errors: FieldError[] | undefined;
  /** Sent as `Retry-After` (seconds). */
  readonly retryAfterSeconds: number | undefined;
  /** Further members of the problem (RFC 9457, 3.2), for programs. */
  readonly members: Readonly<Record<string, string>> | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    more: {
      errors?: FieldError[];
      retryAfterSeconds?: number;
      members?: Readonly<Record<string, string>>;
      cause?: unknown;
    } = {},
  ) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.status = ERRORS[code].status;
    this.detail = detail;
    this.errors = more.errors;
    this.members = more.members;
    this.retryAfterSeconds = more.retryAfterSeconds ?? (this.status === 503 ? 1 : undefined);
  }
}
