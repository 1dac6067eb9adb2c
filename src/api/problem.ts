// Every error leaves the API through here, as problem+json (RFC 9457). What is not meant for the client (a stack, a statement)
// is logged and answered `internal`.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ERRORS, type ErrorCode, type FieldError, TidingsError } from '../core/errors.ts';
import { isUnavailable } from '../storage/database.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export const Problem = z
  .object({
    type: z.string().describe('`urn:tidings:error:` and the code.'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('What to tell errors apart by; the list is in docs/reference/errors.md.'),
    detail: z.string().describe('For people: what is wrong and what to do.'),
    errors: z
      .array(z.object({ path: z.string().describe('JSON Pointer (RFC 6901).'), message: z.string() }))
      .optional()
      .describe('Each thing that is wrong with the request.'),
    oldestCursor: z
      .string()
      .optional()
      .describe('Of `cursor_expired`: reading on after it begins with the oldest event that is kept.'),
  })
  .meta({ id: 'Problem' });

function problemResponse(description: string) {
  return { description, content: { 'application/problem+json': { schema: Problem } } };
}

/** The error responses of every route, for the OpenAPI document. */
export const PROBLEM_RESPONSES = {
  '4xx': problemResponse('The request cannot be carried out as it is.'),
  '5xx': problemResponse('The server failed; a 503 may be tried again after `Retry-After` seconds.'),
};

export function renderProblem(error: TidingsError): string {
  const problem: z.infer<typeof Problem> = {
    type: `urn:tidings:error:${error.code}`,
    title: ERRORS[error.code].title,
    status: error.status,
    code: error.code,
    detail: error.detail,
    ...error.members,
  };
  if (error.errors !== undefined) problem.errors = error.errors;
  return JSON.stringify(problem);
}

export function sendProblem(reply: FastifyReply, error: TidingsError): void {
  reply.code(error.status).header('content-type', PROBLEM_TYPE);
  if (error.retryAfterSeconds !== undefined) reply.header('retry-after', String(error.retryAfterSeconds));
  if (error.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
  reply.send(renderProblem(error));
}

type OnError = (error: unknown, request: { method: string; path: string }) => void;

/** Answers whatever a route or fastify threw. */
export function errorHandler(onError: OnError) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    sendProblem(reply, reported(error, request.raw, onError));
  };
}

/** Answers a request that fastify was taken off. */
export function writeProblem(response: ServerResponse, error: unknown, onError: OnError): void {
  const known = reported(error, response.req, onError);
  const body = renderProblem(known);
  const headers = ['content-type', PROBLEM_TYPE, 'content-length', String(Buffer.byteLength(body))];
  if (known.retryAfterSeconds !== undefined) headers.push('retry-after', String(known.retryAfterSeconds));
  response.writeHead(known.status, headers);
  response.end(body);
}

function reported(error: unknown, request: IncomingMessage, onError: OnError): TidingsError {
  const known = toTidingsError(error);
  if (known.status === 500) onError(error, { method: request.method ?? '', path: pathOf(request.url ?? '') });
  return known;
}

/** The path of a URL: a query may hold what is no business of a log. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** The error that a client is told of for whatever was thrown. */
export function toTidingsError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return invalidRequest(error);
  const refused = refusedByFastify(error);
  if (refused !== null) return refused;
  if (isUnavailable(error)) {
    return new TidingsError('unavailable', 'The database cannot be reached. Send the request again in a moment.');
  }
  return new TidingsError('internal', 'The server failed to carry out the request. Its log says why.');
}

type ValidationError = Error & {
  validation: { keyword: string; instancePath: string; message?: string; params: Record<string, unknown> }[];
  validationContext?: string;
};

const CONTEXTS: Record<string, string> = { querystring: 'query', params: 'path', headers: 'header' };

function invalidRequest(error: ValidationError): TidingsError {
  const place = CONTEXTS[error.validationContext ?? ''] ?? 'body';
  const errors = error.validation.flatMap(({ keyword, instancePath, message, params }) =>
    fieldErrors({ ...params, code: keyword, path: [], message }, instancePath === '/' ? '' : instancePath, place),
  );
  return invalidFields(errors, place);
}

/** As zod has it. */
interface Issue {
  code: string;
  path: PropertyKey[];
  message?: string;
  keys?: string[];
  /** Of a union: what is wrong by each of its members. */
  errors?: Issue[][];
}

function fieldErrors(issue: Issue, base: string, place: string): FieldError[] {
  const path = [base, ...issue.path.map(String)].join('/');
  const { code, keys, errors = [], message = 'This is not valid.' } = issue;
  if (code === 'unrecognized_keys' && keys !== undefined) {
    return keys.map((key) => ({ path: `${path}/${key}`, message: `\`${key}\` is not known here.` }));
  }
  if (code === 'invalid_union' && errors.length > 0) return unionErrors(errors, path, place);
  if (path === '' && message.endsWith('received undefined')) {
    return [{ path, message: `A ${place} is required; send JSON with Content-Type: application/json.` }];
  }
  return [
    { path, message: message.replace(/^Invalid input: expected (.*), received undefined$/, 'This is required ($1).') },
  ];
}

/** The member that was meant says what is wrong: the only one that takes a value of this type. Else all of them do. */
function unionErrors(members: Issue[][], path: string, place: string): FieldError[] {
  const meant = members.filter(
    (issues) =>
      !issues.some((issue) => issue.path.length === 0 && ['invalid_type', 'invalid_value'].includes(issue.code)),
  );
  if (meant.length === 1) return meant[0].flatMap((issue) => fieldErrors(issue, path, place));
  const messages = members.flatMap((issues) => issues.flatMap((issue) => fieldErrors(issue, path, place)));
  return [{ path, message: [...new Set(messages.map(({ message }) => message))].join('; or: ') }];
}

/** The error for a list of wrong fields. */
export function invalidFields(errors: FieldError[], place = 'body'): TidingsError {
  const [{ path, message }] = errors;
  const rest = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  return new TidingsError(
    'invalid_request',
    `The ${place} is not valid${path === '' ? '' : ` at ${path}`}: ${message}${rest}`,
    {
      errors,
    },
  );
}

// fastify's own errors by their code (its lib/errors.js); those it has no code for here are judged by their status.
const FASTIFY_ERRORS: Record<string, { code: ErrorCode; detail: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'payload_too_large',
    detail: 'The body is larger than this call takes (1 MiB for an event, 16 MiB for a batch). Send less, or split it.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported_media_type',
    detail: 'The body must be JSON. Send it with Content-Type: application/json.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'invalid_request',
    detail: 'The body is shorter or longer than its Content-Length says.',
  },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not_found', detail: 'A part of the path is too long to be an id or uid.' },
  FST_ERR_BAD_URL: { code: 'invalid_request', detail: 'The path is not valid: check its percent-encoding.' },
};

function refusedByFastify(error: unknown): TidingsError | null {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const row = typeof code === 'string' ? FASTIFY_ERRORS[code] : undefined;
  if (row !== undefined) return new TidingsError(row.code, row.detail);
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return null;
  return new TidingsError('invalid_request', 'The request is not valid HTTP as this server understands it.');
}
