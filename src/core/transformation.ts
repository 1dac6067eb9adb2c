// A transformation: the user's JavaScript between the filter and the format. Its code runs elsewhere (src/transform); what it may be, and
// what may come of it, is said here.
import type { FieldError } from './errors.ts';

/** Raised by each new code; it stays when the code is taken out, so that no two codes of an endpoint have the same. 0 = there never was one. */
export interface Transformation {
  version: number;
  code: string | null;
}

export const NO_TRANSFORMATION: Transformation = { version: 0, code: null };

export const MAX_TRANSFORMATION_BYTES = 64 * 1024;
/** Of what a transformation returns, as JSON in UTF-8. */
export const MAX_TRANSFORMED_BYTES = 1024 * 1024;

export const TRANSFORMATION_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET'] as const;
export type TransformationMethod = (typeof TRANSFORMATION_METHODS)[number];

/** Why a transformation failed; each is a reason code of the attempt. */
export const TRANSFORMATION_FAILURES = ['transform_error', 'transform_timeout', 'transform_memory'] as const;
export type TransformationFailure = (typeof TRANSFORMATION_FAILURES)[number];

/** What a transformation says of one event. `null` in it = as it is without. */
export type Verdict =
  | {
      kind: 'sent';
      type: string;
      timeMs: number;
      /** The published bytes where `data` was not touched. */
      data: Buffer;
      /** In place of what the endpoint's format makes of the event. */
      body: { bytes: Buffer; contentType: string } | null;
      method: TransformationMethod | null;
      /** Path and query in place of the URL's. */
      path: string | null;
      headers: Record<string, string> | null;
      /** As they were returned, whatever they are: only sources have a use for them. */
      channels?: unknown;
    }
  | { kind: 'filtered'; reason: string }
  | { kind: 'failed'; reason: TransformationFailure; error: TransformationError }
  /** Nothing the code could help: it is to be tried again. */
  | { kind: 'unavailable'; message: string };

export interface TransformationError {
  message: string;
  /** Of the code, from 1; null where it is not known. */
  line: number | null;
  column: number | null;
}

/** What is wrong with the text of a transformation, before it is compiled. */
export function checkTransformation(code: unknown, path = '/transform'): FieldError[] {
  if (typeof code !== 'string') return [{ path, message: 'A transformation is JavaScript in a string.' }];
  const bytes = Buffer.byteLength(code);
  if (bytes > MAX_TRANSFORMATION_BYTES) {
    return [{ path, message: `The code has ${bytes} bytes; at most ${MAX_TRANSFORMATION_BYTES} are allowed.` }];
  }
  if (code.trim() === '') {
    return [{ path, message: 'The code is empty. Give null for no transformation.' }];
  }
  // Postgres stores neither U+0000 nor half a surrogate pair.
  if (code.includes('\0') || !code.isWellFormed()) {
    return [{ path, message: 'The code holds U+0000 or is not well-formed Unicode. Write \\u0000 instead.' }];
  }
  return [];
}

/** The version that an attempt made now runs; null without a transformation. */
export function versionInUse({ version, code }: Transformation): number | null {
  return code === null ? null : version;
}

/** The transformation after a change: another code is another version. */
export function changeTransformation(current: Transformation, code: string | null): Transformation {
  if (code === current.code) return current;
  return { version: code === null ? current.version : current.version + 1, code };
}

/** An error in one sentence, with its place. */
export function describeError({ message, line, column }: TransformationError): string {
  if (line === null) return message;
  return `${message} (line ${line}${column === null ? '' : `, column ${column}`})`;
}
