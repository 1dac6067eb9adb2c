// One request to an API, and its answer: over the same guard as what is sent to endpoints, with every address checked on every redirect.
import http from 'node:http';
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream';
import zlib from 'node:zlib';
import type { TidingsError } from '../../core/errors.ts';
import { type AddressRules, buildGuard, parseTarget, type Target } from '../../net/address-guard.ts';
import { Connector, type Opening } from '../../net/connector.ts';
import { DnsResolver } from '../../net/dns-resolver.ts';
import { SendFailure } from '../../net/send-failure.ts';
import { FetchFailure } from './fetch-failure.ts';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
  /** In all, with redirects. */
  timeoutMs: number;
  /** The run is broken off: the server stops. */
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  /** After redirects. */
  url: string;
}

/** What a run asks with; tests of the run's own rules answer by themselves. */
export interface Fetcher {
  /** @throws FetchFailure unreachable, refused, too_large, misconfigured */
  request(request: HttpRequest): Promise<HttpAnswer>;
}

const MAX_REDIRECTS = 5;
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** What another origin is told on a redirect: nothing that was meant for the first. */
const SHARED_HEADERS = new Set(['accept', 'accept-encoding', 'user-agent']);

export class HttpFetcher implements Fetcher {
  readonly #rules: AddressRules;
  readonly #connector: Connector;

  constructor({ rules }: { rules: AddressRules }) {
    this.#rules = rules;
    const resolver = new DnsResolver({ useSystem: rules.allowPrivate.length > 0 });
    this.#connector = new Connector({ guard: buildGuard(rules), resolver, ca: [] });
  }

  async request(request: HttpRequest): Promise<HttpAnswer> {
    const untilMs = performance.now() + request.timeoutMs;
    let { url, headers } = request;
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once({
        ...request,
        url,
        headers,
        timeoutMs: Math.max(1, untilMs - performance.now()),
      });
      const { location } = answer.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
      if (!isRedirect || request.method !== 'GET') return answer;
      if (redirects === MAX_REDIRECTS || !URL.canParse(location, url)) {
        throw new FetchFailure('refused', `${url} redirects too often, or nowhere.`, { status: answer.status });
      }
      const next = new URL(location, url);
      if (next.origin !== new URL(url).origin) {
        headers = Object.fromEntries(
          Object.entries(headers).filter(([name]) => SHARED_HEADERS.has(name.toLowerCase())),
        );
      }
      url = next.href;
    }
  }

  async #once(request: HttpRequest): Promise<HttpAnswer> {
    const target = this.#target(request.url);
    const opening: Opening = { cancelled: false, socket: null, onBytes: null };
    const abort = new AbortController();
    const giveUp = (failure: FetchFailure): void => {
      opening.cancelled = true;
      opening.socket?.destroy(new SendFailure('timeout_total', failure.message));
      abort.abort(failure);
    };
    const breakOff = (): void =>
      giveUp(new FetchFailure('unreachable', 'The run was broken off because the server stops.'));
    if (request.signal?.aborted) breakOff();
    request.signal?.addEventListener('abort', breakOff, { once: true });
    const timer = setTimeout(() => {
      giveUp(
        new FetchFailure('unreachable', `${target.origin} did not answer within ${Math.round(request.timeoutMs)} ms.`),
      );
    }, request.timeoutMs);
    try {
      const { socket } = await this.#connector.open(target, opening);
      if (opening.cancelled) {
        socket.destroy();
        throw abort.signal.reason;
      }
      return await exchange(request, target, socket, abort.signal);
    } catch (error) {
      throw toFailure(abort.signal.aborted ? abort.signal.reason : error, target.origin);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', breakOff);
    }
  }

  #target(url: string): Target {
    try {
      return parseTarget(url, this.#rules, 'URL of the source');
    } catch (error) {
      throw new FetchFailure('misconfigured', (error as TidingsError).detail ?? String(error), { cause: error });
    }
  }
}

function toFailure(error: unknown, origin: string): FetchFailure {
  if (error instanceof FetchFailure) return error;
  if (error instanceof SendFailure) {
    const reason = error.reason === 'address_forbidden' ? 'misconfigured' : 'unreachable';
    return new FetchFailure(reason, error.message, { cause: error });
  }
  return new FetchFailure('unreachable', `${origin} broke off: ${(error as Error).message}.`, { cause: error });
}

function exchange(
  { method, url, headers, body }: HttpRequest,
  target: Target,
  socket: Socket,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const give = (error: unknown): void => {
      socket.destroy();
      reject(error);
    };
    signal.addEventListener('abort', () => give(signal.reason), { once: true });
    const sent = http.request({
      createConnection: () => socket,
      host: target.host,
      method,
      path: target.path,
      headers: {
        host: new URL(url).host,
        'accept-encoding': 'gzip, deflate, br',
        ...headers,
        ...(body !== null && { 'content-length': String(Buffer.byteLength(body)) }),
        connection: 'close',
      },
    });
    sent.on('error', give);
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const take = (chunk: Buffer): void => {
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) {
          const detail = `The answer of ${target.origin} has more than ${MAX_BODY_BYTES} bytes. Ask for less at a time.`;
          give(new FetchFailure('too_large', detail, { status: response.statusCode ?? null }));
        } else chunks.push(chunk);
      };
      const end = (error: Error | null | undefined): void => {
        if (error || !response.complete) {
          give(error ?? new Error('the answer was cut off'));
          return;
        }
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks), url });
      };
      const decoder = decoderOf(response.headers['content-encoding']);
      if (decoder === null)
        response
          .on('data', take)
          .on('end', () => end(null))
          .on('error', end)
          .on('aborted', () => end(null));
      else pipeline(response, decoder.on('data', take), end);
    });
    sent.end(body ?? undefined);
  });
}

function decoderOf(encoding: string | undefined): Transform | null {
  switch (encoding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'deflate':
      return zlib.createInflate();
    case 'br':
      return zlib.createBrotliDecompress();
    default:
      return null;
  }
}
