import { SendFailure } from '../net/send-failure.ts';
import type { ResponseError } from './response-parser.ts';

/** What came is no response that can be read. */
export function responseFailure(error: ResponseError, origin: string): SendFailure {
  if (error.kind === 'too_large') {
    return new SendFailure('too_large', `The response head of ${origin} is larger than 16 KiB.`, error);
  }
  return new SendFailure('protocol_error', `The answer of ${origin} is not valid HTTP/1.1: ${error.message}.`, error);
}
