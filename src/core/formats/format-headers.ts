import type { EndpointFormat } from './endpoint-format.ts';

const BINARY = ['ce-specversion', 'ce-id', 'ce-source', 'ce-type', 'ce-time', 'ce-sequence'];

/** The headers that each request in a format has by it, in lower case, with values in printable ASCII. */
export function formatHeaders(format: EndpointFormat): string[] {
  if (format.name === 'raw') return ['tidings-type', 'tidings-time'];
  if (format.name !== 'cloudevents') return [];
  const own = format.handshake === undefined ? [] : ['webhook-request-origin'];
  if (format.mode !== 'binary') return own;
  return [...own, ...BINARY, ...Object.keys(format.attributes ?? {}).map((name) => `ce-${name}`)];
}
