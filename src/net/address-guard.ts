// The guard against server-side request forgery: an endpoint's URL is a stranger's input, and the server stands where the stranger
// does not. It is asked three times: for the literal in the URL when it is saved, for every address that a name resolves to, and
// for the address that the socket is connected to. The name is never resolved again between check and connect.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { TidingsError } from '../core/errors.ts';
import { type AddressRange, type Cidr, findForbiddenRange, unwrapAddress } from './address-ranges.ts';

export interface AddressRules {
  /** Lets `http:` URLs in; without it only `https:`. */
  allowHttp: boolean;
  /** CIDRs let in although they are not public, such as `10.0.0.0/8`. */
  allowPrivate: readonly string[];
}

/** Says in which forbidden range an address lies; null when it may be called. */
export type AddressGuard = (address: string) => AddressRange | null;

/** PEM. */
export interface TlsIdentity {
  readonly certificate: string;
  readonly key: string;
  /** Authorities that the peer's certificate must be of, instead of the public ones; null = the public ones. */
  readonly ca: string | null;
}

/** Where an endpoint's requests go: its URL taken apart once, used for every attempt. */
export interface Target {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Connections, and TLS sessions, are shared by targets with the same pool: the origin, or one of its own for whom the socket speaks. */
  readonly pool: string;
  /** What the client shows of itself in the TLS handshake; null = nothing. */
  readonly identity: TlsIdentity | null;
  readonly tls: boolean;
  /** The name or address, without brackets or a closing dot. */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  readonly path: string;
  /** Whether `host` is an IP address. */
  readonly literal: boolean;
}

/** @throws TidingsError invalid_request when a CIDR cannot be read. */
export function buildGuard(rules: AddressRules): AddressGuard {
  const allowed = rules.allowPrivate.map(parseCidr);
  return (text) => {
    if (isIP(text) === 0) return { cidr: text, what: 'no IP address' };
    const address = ipaddr.parse(text);
    const unwrapped = unwrapAddress(address);
    const range = findForbiddenRange(unwrapped);
    if (range === null) return null;
    const letIn = allowed.some((cidr) =>
      [address, unwrapped].some((candidate) => candidate.kind() === cidr[0].kind() && candidate.match(cidr)),
    );
    return letIn ? null : range;
  };
}

function parseCidr(text: string): Cidr {
  if (isIP(text.split('/')[0]) !== 0 && ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  throw new TidingsError(
    'invalid_request',
    `"${text}" is not a range of addresses. Write it like 10.0.0.0/8 or fc00::/7.`,
  );
}

/**
 * Takes the URL of an endpoint, or of what else `what` says, apart and refuses what can be refused without the network. The parser is the WHATWG one, which turns
 * every notation of an IPv4 address (`0x7f.1`, `2130706433`, `017700000001`) into its four numbers before the guard looks.
 * A fragment is dropped. Loopback names (RFC 6761, section 6.3) count as loopback addresses.
 * @throws TidingsError invalid_url or address_forbidden, with a sentence that says what to do.
 */
export function parseTarget(url: string, rules: AddressRules, what = 'endpoint URL'): Target {
  const parsed = parseUrl(url, what);
  const tls = parsed.protocol === 'https:';
  // First, so that no sentence below repeats a password.
  if (parsed.username !== '' || parsed.password !== '') {
    throw new TidingsError(
      'invalid_url',
      `The ${what} holds a user name or password. Take it out and set an \`authorization\` header instead.`,
    );
  }
  if (!tls && parsed.protocol !== 'http:') {
    throw new TidingsError('invalid_url', `The ${what} ${url} begins with ${parsed.protocol} Use https:.`);
  }
  if (!tls && !rules.allowHttp) {
    throw new TidingsError(
      'invalid_url',
      `The ${what} ${url} uses plain http. Use https, or start the server with --allow-http.`,
    );
  }
  if (parsed.port === '0') {
    throw new TidingsError('invalid_url', `The ${what} ${url} names port 0, which nothing can listen on.`);
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (host === '') throw new TidingsError('invalid_url', `The ${what} ${url} has no host.`);
  const literal = isIP(host) !== 0;
  const guard = buildGuard(rules);
  const addresses = literal ? [host] : isLoopbackName(host) ? LOOPBACK_ADDRESSES : [];
  const forbidden = addresses
    .map((address) => ({ address, range: guard(address) }))
    .filter(({ range }) => range !== null);
  if (addresses.length > 0 && forbidden.length === addresses.length) {
    const { address, range } = forbidden[0];
    throw new TidingsError('address_forbidden', describeForbidden(`The ${what} ${url}`, address, range!));
  }
  return {
    origin: parsed.origin,
    pool: parsed.origin,
    identity: null,
    tls,
    host,
    port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port),
    path: parsed.pathname + parsed.search,
    literal,
  };
}

function parseUrl(url: string, what: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    const detail = `The ${what} ${url} is not a URL. Write it like https://example.com/webhooks.`;
    throw new TidingsError('invalid_url', detail, { cause });
  }
}

export const LOOPBACK_ADDRESSES: readonly string[] = ['127.0.0.1', '::1'];

/** `localhost` and what ends in `.localhost` (RFC 6761, section 6.3); a name without its closing dot. */
export function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}

/** The sentence for people: what leads where, and what to do. */
export function describeForbidden(subject: string, address: string, range: AddressRange): string {
  return `${subject} leads to ${address}, ${range.what}. Use a public address, or start the server with --allow-private ${range.cidr}.`;
}
