// Why no response came, as a reason of core/outcome.ts and a sentence for people.
import type { OutcomeKind, Reason } from '../core/outcome.ts';

export type FailureReason = Extract<
  Reason,
  | 'dns_failed'
  | 'address_forbidden'
  | 'connection_refused'
  | 'connection_reset'
  | 'timeout_connect'
  | 'timeout_total'
  | 'tls_failed'
  | 'protocol_error'
  | 'too_large'
  | 'internal_error'
>;

/** A failure whose reason is known where it happens. */
export class SendFailure extends Error {
  override readonly name = 'SendFailure';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

// The endpoint is where it should be and is alive, yet cannot be served as it is: that says something about the event, not about an outage.
const REJECTED: ReadonlySet<FailureReason> = new Set(['address_forbidden', 'too_large']);

export function outcomeOfFailure(reason: FailureReason): Exclude<OutcomeKind, 'delivered' | 'throttled'> {
  return REJECTED.has(reason) ? 'rejected' : 'unreachable';
}

export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

/** A socket that did not come up. `place` is `address:port`; `connected` tells whether only TLS was missing. */
export function connectFailure(error: Error, place: string, connected: boolean): SendFailure {
  if (error instanceof SendFailure) return error;
  const code = errorCode(error);
  if (connected) {
    return new SendFailure('tls_failed', `The TLS handshake with ${place} failed: ${error.message} (${code}).`, error);
  }
  switch (code) {
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOBUFS':
    case 'ENOMEM':
      return new SendFailure(
        'internal_error',
        `The server has no sockets left (${code}). Raise its limit of open files.`,
        error,
      );
    case 'ETIMEDOUT':
      return new SendFailure('timeout_connect', `${place} did not answer (${code}).`, error);
    case 'ECONNRESET':
      return new SendFailure('connection_reset', `${place} reset the connection (${code}).`, error);
    case 'ECONNREFUSED':
      return new SendFailure('connection_refused', `${place} refused the connection (${code}).`, error);
    default:
      return new SendFailure('connection_refused', `${place} cannot be reached (${code || error.message}).`, error);
  }
}

/** A connection that was up ended before the response did; null = the peer closed it. */
export function socketFailure(error: Error | null, origin: string): SendFailure {
  if (error === null) return new SendFailure('connection_reset', `${origin} closed the connection without an answer.`);
  if (error instanceof SendFailure) return error;
  const code = errorCode(error);
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return new SendFailure('tls_failed', `The TLS connection to ${origin} failed: ${error.message} (${code}).`, error);
  }
  return new SendFailure('connection_reset', `${origin} broke the connection (${code || error.message}).`, error);
}
