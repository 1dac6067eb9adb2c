// Readers of streams as users have them. Each keeps what it saw and, when its connection ends, comes back after the last cursor it knows.
import http from 'node:http';
import { EventSource } from 'eventsource';
import { WebSocket as UndiciSocket } from 'undici';
import { WebSocket } from 'ws';

export interface StreamReader {
  /** The positions of the events, in the order they came. */
  readonly seen: number[];
  /** How often it was connected. */
  readonly connections: number;
  close(): void;
}

export interface ReaderOptions {
  /** Of the stream, without `after`; asked for each connection. */
  url: () => string;
  apiKey: string;
  /** A cursor to begin after. */
  after?: string;
}

const AGAIN_MS = 20;

/** The `eventsource` package, which reconnects by itself. */
export function eventSourceReader({ url, apiKey, after }: ReaderOptions): StreamReader {
  const seen: number[] = [];
  let connections = 0;
  const source = new EventSource(after === undefined ? url() : `${url()}?after=${after}`, {
    fetch: (input, init) => {
      connections++;
      return fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${apiKey}` } });
    },
  });
  source.onmessage = ({ data }) => void seen.push(JSON.parse(data).position);
  return {
    seen,
    get connections() {
      return connections;
    },
    close: () => source.close(),
  };
}

/** Grants `window` events at first and one for each that came; what came beyond the grant is an event it may not have had. */
export interface SocketReader extends StreamReader {
  readonly excess: number;
}

type AnySocket = Pick<WebSocket, 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose' | 'onerror'>;

export function webSocketReader(
  { url, apiKey, after }: ReaderOptions,
  { kind = 'ws', window = 8 }: { kind?: 'ws' | 'undici'; window?: number } = {},
): SocketReader {
  const seen: number[] = [];
  let connections = 0;
  let excess = 0;
  let cursor = after;
  let isClosed = false;
  let socket: AnySocket;
  let timer: NodeJS.Timeout | undefined;
  const connect = (): void => {
    const address = `${url().replace('http', 'ws')}${cursor === undefined ? '' : `?after=${cursor}`}`;
    const protocols = ['tidings', `bearer.${apiKey}`];
    socket = (kind === 'ws' ? new WebSocket(address, protocols) : new UndiciSocket(address, protocols)) as AnySocket;
    let credit = 0;
    const grant = (events: number): void => {
      credit += events;
      socket.send(JSON.stringify({ type: 'grant', events }));
    };
    connections++;
    socket.onopen = () => grant(window);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data));
      cursor = message.cursor ?? message.event?.cursor ?? cursor;
      if (message.type !== 'event') return;
      if (--credit < 0) excess++;
      seen.push(message.event.position);
      grant(1);
    };
    socket.onerror = () => {};
    socket.onclose = () => {
      if (!isClosed) timer = setTimeout(connect, AGAIN_MS);
    };
  };
  connect();
  return {
    seen,
    get connections() {
      return connections;
    },
    get excess() {
      return excess;
    },
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}

/** SSE over node:http, for when there are very many. */
export function plainReader({ url, apiKey, after }: ReaderOptions): StreamReader {
  const seen: number[] = [];
  let connections = 0;
  let cursor = after;
  let isClosed = false;
  let request: http.ClientRequest | undefined;
  let timer: NodeJS.Timeout | undefined;
  const again = (): void => {
    clearTimeout(timer);
    if (!isClosed) timer = setTimeout(connect, AGAIN_MS);
  };
  const connect = (): void => {
    const headers = { authorization: `Bearer ${apiKey}`, ...(cursor !== undefined && { 'last-event-id': cursor }) };
    request = http.get(url(), { headers, agent: false }, (response) => {
      if (response.statusCode === 200) connections++;
      let rest = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          cursor = /^id: (.+)$/m.exec(block)?.[1] ?? cursor;
          const data = /^id: .+\ndata: (.+)$/.exec(block)?.[1];
          if (data !== undefined) seen.push(JSON.parse(data).position);
        }
      });
      response.on('error', () => {});
      response.on('close', again);
    });
    request.on('error', again);
  };
  connect();
  return {
    seen,
    get connections() {
      return connections;
    },
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      request?.destroy();
    },
  };
}
