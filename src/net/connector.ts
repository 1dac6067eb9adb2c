// From a target to a socket: resolve, check every address, connect to one that was checked, check what the socket is connected to,
// then TLS. Nothing here knows of HTTP.
import net from 'node:net';
import tls from 'node:tls';
import { LRUCache } from 'lru-cache';
import {
  type AddressGuard,
  describeForbidden,
  isLoopbackName,
  type Target,
  type TlsIdentity,
} from './address-guard.ts';
import type { Resolver } from './dns-resolver.ts';
import { connectFailure, SendFailure } from './send-failure.ts';
import { identityContext } from './tls-identity.ts';

/** A socket that is up; times are milliseconds of `performance.now()`, null where the phase did not happen. */
export interface OpenedSocket {
  socket: net.Socket;
  remoteAddress: string;
  resolvedMs: number | null;
  connectedMs: number;
  securedMs: number | null;
}

/** A connection in the making, which its owner may give up. */
export interface Opening {
  cancelled: boolean;
  socket: net.Socket | null;
  /** Takes what the socket reads, from the first byte on; valid only during the call. null = whoever gets the socket reads it. */
  readonly onBytes: ((chunk: Buffer) => void) | null;
}

/** What any plain socket reads into: it is used up before the next one reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

export interface ConnectorParts {
  guard: AddressGuard;
  resolver: Resolver;
  /** PEM certificates that are trusted beside the public ones. */
  ca: readonly string[];
}

const MAX_ADDRESSES = 4;
/** An address with others behind it is given up after this long; the last has what is left of the deadline. */
const ADDRESS_TIMEOUT_MS = 2000;
const MAX_SESSIONS = 1000;
const TCP_KEEP_ALIVE_MS = 60_000;

export class Connector {
  readonly #parts: ConnectorParts;
  // Made once: reading the certificates for every connection would cost milliseconds each.
  readonly #secureContext: tls.SecureContext;
  readonly #trust: tls.SecureContextOptions;
  readonly #identityContexts = new WeakMap<TlsIdentity, tls.SecureContext>();
  readonly #sessions = new LRUCache<string, Buffer>({ max: MAX_SESSIONS });

  constructor(parts: ConnectorParts) {
    this.#parts = parts;
    this.#trust = parts.ca.length > 0 ? { ca: [...tls.rootCertificates, ...parts.ca] } : {};
    this.#secureContext = tls.createSecureContext(this.#trust);
  }

  /** @throws SendFailure */
  async open(target: Target, opening: Opening): Promise<OpenedSocket> {
    const { guard, resolver } = this.#parts;
    const found = target.literal ? [target.host] : await resolver.resolve(target.host);
    const resolvedMs = target.literal ? null : performance.now();
    // One forbidden address condemns the name: a name that leads both ways is an attack or a mistake.
    for (const address of found) {
      const range = guard(address);
      if (range === null) continue;
      // `localhost` means both loopback addresses; where one is let in, the other is only left out.
      if (isLoopbackName(target.host) && found.some((other) => guard(other) === null)) continue;
      throw new SendFailure('address_forbidden', describeForbidden(target.host, address, range));
    }
    const addresses = interleave(found.filter((address) => guard(address) === null)).slice(0, MAX_ADDRESSES);
    let failure: SendFailure | undefined;
    for (const [i, address] of addresses.entries()) {
      if (opening.cancelled) break;
      const isLast = i === addresses.length - 1;
      try {
        const connected = await this.#connect(target, address, opening, isLast ? null : ADDRESS_TIMEOUT_MS);
        return { ...connected, resolvedMs };
      } catch (error) {
        failure = error as SendFailure;
        if (failure.reason === 'tls_failed' || failure.reason === 'address_forbidden') break;
      }
    }
    throw failure ?? new SendFailure('internal_error', `The connection to ${target.origin} was given up.`);
  }

  #connect(
    target: Target,
    address: string,
    opening: Opening,
    timeoutMs: number | null,
  ): Promise<Omit<OpenedSocket, 'resolvedMs'>> {
    const place = `${net.isIPv6(address) ? `[${address}]` : address}:${target.port}`;
    return new Promise((resolve, reject) => {
      let connectedMs = 0;
      const socket = this.#begin(target, address, opening.onBytes);
      opening.socket = socket;
      socket.setNoDelay(true);
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
      let timer: NodeJS.Timeout | undefined;
      if (timeoutMs !== null) {
        timer = setTimeout(() => {
          socket.destroy(new SendFailure('timeout_connect', `${place} did not answer within ${timeoutMs} ms.`));
        }, timeoutMs);
      }
      const finish = (): void => {
        clearTimeout(timer);
        opening.socket = null;
        const { remoteAddress } = socket;
        if (remoteAddress === undefined || socket.destroyed) {
          reject(new SendFailure('connection_reset', `${place} closed the connection at once.`));
          return;
        }
        const securedMs = target.tls ? performance.now() : null;
        resolve({ socket, remoteAddress, connectedMs, securedMs });
      };
      socket.once('connect', () => {
        connectedMs = performance.now();
        clearTimeout(timer);
        const range = this.#parts.guard(socket.remoteAddress ?? address);
        if (range !== null) {
          const detail = describeForbidden(target.host, socket.remoteAddress ?? address, range);
          socket.destroy(new SendFailure('address_forbidden', detail));
        } else if (!target.tls) finish();
      });
      if (target.tls) socket.once('secureConnect', finish);
      // These stay for good: an error in the moment before the socket's user listens must not end the process.
      socket.on('error', (error) => reject(connectFailure(error, place, connectedMs > 0)));
      socket.on('close', () => {
        clearTimeout(timer);
        const what = connectedMs > 0 ? 'closed the connection in the TLS handshake' : 'was not connected in time';
        reject(new SendFailure(connectedMs > 0 ? 'tls_failed' : 'timeout_connect', `${place} ${what}.`));
      });
    });
  }

  #begin(target: Target, address: string, onBytes: Opening['onBytes']): net.Socket {
    if (!target.tls) {
      if (onBytes === null) return net.connect({ host: address, port: target.port });
      const callback = (bytes: number): boolean => {
        onBytes(READ_BUFFER.subarray(0, bytes));
        return true;
      };
      return net.connect({ host: address, port: target.port, onread: { buffer: READ_BUFFER, callback } });
    }
    const socket = tls.connect({
      host: address,
      port: target.port,
      // RFC 6066, section 3: an address is no server name; the certificate is then checked against `host`.
      servername: target.literal ? '' : target.host,
      ALPNProtocols: ['http/1.1'],
      secureContext: target.identity === null ? this.#secureContext : this.#contextOf(target.identity),
      // By pool: a session stands for whoever opened it.
      session: this.#sessions.get(target.pool),
      // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 cannot turn it off.
      rejectUnauthorized: true,
    });
    if (onBytes !== null) socket.on('data', onBytes);
    socket.on('session', (session) => this.#sessions.set(target.pool, session));
    return socket;
  }

  #contextOf(identity: TlsIdentity): tls.SecureContext {
    let context = this.#identityContexts.get(identity);
    if (context === undefined) {
      context = identityContext(identity, this.#trust);
      this.#identityContexts.set(identity, context);
    }
    return context;
  }
}

/** IPv4 and IPv6 in turn, IPv4 first: where one family does not get through, the second try is of the other. */
function interleave(addresses: readonly string[]): string[] {
  const four = addresses.filter((address) => net.isIPv4(address));
  const six = addresses.filter((address) => net.isIPv6(address));
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(four.length, six.length); i++) {
    if (i < four.length) mixed.push(four[i]);
    if (i < six.length) mixed.push(six[i]);
  }
  return mixed;
}
