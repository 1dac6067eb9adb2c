// From a request that was verified to the event that it becomes: the body as it came where it is JSON, else inside a JSON object that says
// what it was; and of its headers those that a handler might want to see when the request is sent on as it was received.
import { isUtf8 } from 'node:buffer';
import type { NewEvent } from '../core/event.ts';
import { checkJson } from '../core/json-scan.ts';
import { encodeOrigin, type Origin } from '../core/origin.ts';
import type { WebhookRequest } from './webhook-request.ts';

const FORM_TYPE = 'application/x-www-form-urlencoded';
const MAX_HEADERS_BYTES = 8192;
const VALUE_PATTERN = /^[\t\x20-\x7e]*$/;

// What concerns one connection or the way here, what we set ourselves, and what is a secret by its nature.
const LEFT_OUT = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'cdn-loop',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'forwarded',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'x-real-ip',
]);
const LEFT_OUT_PATTERN = /^(x-forwarded-|cf-|tidings-)/;

/** `secrets` are the source's: a header that holds one is not kept. */
export function receivedEvent(
  request: WebhookRequest,
  {
    id,
    type,
    timeMs,
    channels,
    secrets,
  }: { secrets: readonly string[] } & Pick<NewEvent, 'id' | 'type' | 'timeMs' | 'channels'>,
): NewEvent {
  const given = request.headers['content-type'];
  const contentType = typeof given === 'string' && VALUE_PATTERN.test(given) ? given : '';
  const { data, body } = dataOf(request.rawBody, contentType);
  const origin = encodeOrigin({ contentType, headers: keptHeaders(request, secrets), body });
  return { id, ownId: false, type, timeMs, timeGiven: false, channels, data, origin };
}

function dataOf(rawBody: Buffer, contentType: string): { data: Buffer; body: Origin['body'] } {
  if (isJson(rawBody)) return { data: rawBody, body: 'data' };
  if (!isUtf8(rawBody)) {
    const value = { contentType, base64: rawBody.toString('base64') };
    return { data: Buffer.from(JSON.stringify(value)), body: 'base64' };
  }
  const text = rawBody.toString('utf8');
  const form = contentType.toLowerCase().startsWith(FORM_TYPE) ? { form: formFields(text) } : {};
  return { data: Buffer.from(JSON.stringify({ contentType, ...form, text })), body: 'text' };
}

/** What is no JSON by our strict reading is still an event: its sender is not told how to write. */
function isJson(body: Buffer): boolean {
  try {
    checkJson(body);
    return true;
  } catch {
    return false;
  }
}

/** A field that comes several times is an array. */
function formFields(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const known = fields.get(name);
    if (known === undefined) fields.set(name, value);
    else if (typeof known === 'string') fields.set(name, [known, value]);
    else known.push(value);
  }
  return Object.fromEntries(fields);
}

function keptHeaders(request: WebhookRequest, secrets: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  let bytes = 0;
  for (const name in request.headers) {
    const value = request.headers[name];
    if (typeof value !== 'string' || LEFT_OUT.has(name) || LEFT_OUT_PATTERN.test(name)) continue;
    if (!VALUE_PATTERN.test(value) || secrets.some((secret) => secret !== '' && value.includes(secret))) continue;
    bytes += name.length + value.length;
    if (bytes > MAX_HEADERS_BYTES) break;
    kept[name] = value;
  }
  return kept;
}
