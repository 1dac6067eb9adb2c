// What runs inside the sandbox around the user's code. It is evaluated before that code, and keeps the functions that it needs: whatever the
// code does to the built-in objects, it does to itself alone. There is no function of the host in there: events go in and answers come out as text.

/** Lines of `console`, and characters of all of them together, that are kept. */
const MAX_CONSOLE_LINES = 100;
const MAX_CONSOLE_CHARS = 16_384;
const MAX_MESSAGE_CHARS = 2000;

/** How the payload that follows an answer's head is meant. */
export type Payload = 'same' | 'data' | 'text' | 'json' | 'none';

/** The first line of an answer; what follows it is the payload, as JSON. */
export type AnswerHead = { console: string[] } & (
  | {
      kind: 'sent';
      payload: Payload;
      type?: unknown;
      time?: unknown;
      channels?: unknown;
      method?: unknown;
      path?: unknown;
      headers?: unknown;
    }
  | { kind: 'filtered' }
  | { kind: 'failed'; message: string; stack: string; name: string }
);

/**
 * A function of the module's default export that gives {begin, finish}. `begin(text, seed, maxChars)` calls the code; then pending jobs are to be
 * run; `finish()` returns the answer: its head in a line of JSON, then the payload.
 */
export const HARNESS = `(() => {
  'use strict';
  const { parse, stringify } = JSON;
  const { resolve, prototype: { then } } = Promise;
  const { apply } = Reflect;
  const { isArray } = Array;
  const { entries, fromEntries } = Object;
  const { imul } = Math;
  const ErrorClass = Error, StringOf = String, PromiseClass = Promise;
  const slice = String.prototype.slice;
  const cut = (text, chars) => apply(slice, text, [0, chars]);

  let seed = 0;
  Math.random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  delete globalThis.performance;

  let lines = [];
  let chars = 0;
  const format = (value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function') return StringOf(value);
    if (value instanceof ErrorClass) return StringOf(value);
    try { return stringify(value) ?? StringOf(value); } catch { return StringOf(value); }
  };
  const write = (...values) => {
    if (lines.length >= ${MAX_CONSOLE_LINES} || chars >= ${MAX_CONSOLE_CHARS}) return;
    let line = '';
    for (let i = 0; i < values.length; i++) line += (i === 0 ? '' : ' ') + format(values[i]);
    line = cut(line, ${MAX_CONSOLE_CHARS} - chars);
    chars += line.length;
    lines[lines.length] = line;
  };
  globalThis.console = { log: write, info: write, warn: write, error: write, debug: write };

  const failed = (error) => {
    let message, stack = '', name = '';
    try {
      if (error instanceof ErrorClass) {
        name = cut(StringOf(error.name), 100);
        message = cut(name + ': ' + StringOf(error.message), ${MAX_MESSAGE_CHARS});
        stack = cut(StringOf(error.stack), ${MAX_MESSAGE_CHARS});
      } else message = cut('It threw ' + format(error), ${MAX_MESSAGE_CHARS});
    } catch { message = 'It threw what cannot be shown.'; }
    return stringify({ console: lines, kind: 'failed', message, stack, name });
  };
  const refused = (message) => stringify({ console: lines, kind: 'failed', message, stack: '', name: '' });

  return (transform) => {
    let text = '', event, data, maxChars = 0;
    let state = 'pending', value;

    const begin = (given, newSeed, newMaxChars) => {
      text = given;
      seed = newSeed;
      maxChars = newMaxChars;
      try {
        event = parse(text);
        data = event.data;
        const result = transform(event);
        if (result instanceof PromiseClass || (typeof result === 'object' && result !== null && typeof result.then === 'function')) {
          apply(then, apply(resolve, PromiseClass, [result]), [
            (settled) => { state = 'done'; value = settled; },
            (error) => { state = 'failed'; value = error; },
          ]);
        } else {
          state = 'done';
          value = result;
        }
      } catch (error) {
        state = 'failed';
        value = error;
      }
    };

    const finish = () => {
      if (state === 'pending') return refused('The promise that it returned never settles: there is nothing here to wait for.');
      if (state === 'failed') return failed(value);
      try { return answer(); } catch (error) { return failed(error); }
    };

    const answer = () => {
      if (value === null) return stringify({ console: lines, kind: 'filtered' });
      if (value === undefined) return refused('It returned nothing. Return an event or a request, or null to send nothing.');
      if (typeof value !== 'object' || isArray(value)) {
        return refused('It returned ' + (isArray(value) ? 'an array' : 'a ' + typeof value) + ', which is neither an event nor a request.');
      }
      const { type, time, channels, method, path, headers, body, data: newData } = value;
      let payload = 'none', written = '';
      if (body !== undefined) {
        payload = typeof body === 'string' ? 'text' : 'json';
        written = stringify(body);
      } else if (newData !== undefined) {
        written = stringify(newData);
        payload = newData === data && written === stringify(parse(text).data) ? 'same' : 'data';
        if (payload === 'same') written = '';
      } else if (method === undefined) {
        return refused('It returned an object with neither \`data\` nor \`body\`.');
      }
      if (written === undefined) return refused('What it returned cannot be written as JSON.');
      if (written.length > maxChars) {
        return refused('It returned ' + written.length + ' characters; at most ' + maxChars + ' are allowed.');
      }
      const head = stringify({
        console: lines, kind: 'sent', payload, type, time, channels, method, path,
        headers: typeof headers === 'object' && headers !== null ? fromEntries(entries(headers)) : headers,
      });
      if (head.length > maxChars) return refused('Its type, path and headers are too long.');
      return head + '\\n' + written;
    };
    return { begin, finish };
  };
})()`;
