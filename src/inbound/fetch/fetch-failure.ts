// Why a run came to nothing, as a word for programs and a sentence for people.
export const FETCH_CAUSES = [
  'unreachable',
  'throttled',
  'refused',
  'gone',
  'unauthorized',
  'not_understood',
  'too_large',
  'too_few_items',
  'misconfigured',
  'transform_failed',
  'transform_unavailable',
  'overtaken',
  'not_stored',
  'internal',
] as const;
export type FetchCause = (typeof FETCH_CAUSES)[number];

export class FetchFailure extends Error {
  override readonly name = 'FetchFailure';
  readonly reason: FetchCause;
  /** Of the answer, where there was one. */
  readonly status: number | null;
  /** The API asked to be left alone for so long. */
  readonly retryAfterMs: number | null;

  constructor(
    reason: FetchCause,
    detail: string,
    more: { status?: number | null; retryAfterMs?: number | null; cause?: unknown } = {},
  ) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause });
    this.reason = reason;
    this.status = more.status ?? null;
    this.retryAfterMs = more.retryAfterMs ?? null;
  }
}
