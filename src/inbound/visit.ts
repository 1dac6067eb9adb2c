// A request to an address that a provider named: for its certificate, or to confirm a subscription. Guarded as all that leaves the server is,
// answered within seconds and in few bytes, and never redirected.
import { request } from 'node:http';
import { type AddressRules, buildGuard, parseTarget } from '../net/address-guard.ts';
import { Connector, type Opening } from '../net/connector.ts';
import { DnsResolver } from '../net/dns-resolver.ts';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 64 * 1024;

export type Visit = (url: string) => Promise<string>;

/** GET; resolves with the body of a 2xx, else rejects with an error in words. `ca` = PEM, trusted beside the public ones. */
export function buildVisit({ rules, ca = [] }: { rules: AddressRules; ca?: readonly string[] }): Visit {
  const resolver = new DnsResolver({ useSystem: rules.allowPrivate.length > 0 });
  const connector = new Connector({ guard: buildGuard(rules), resolver, ca });
  return (url) => visit(connector, rules, url);
}

async function visit(connector: Connector, rules: AddressRules, url: string): Promise<string> {
  const target = parseTarget(url, rules, "provider's URL");
  const opening: Opening = { cancelled: false, socket: null, onBytes: null };
  let stop: (error: Error) => void = () => {};
  const timer = setTimeout(() => {
    const error = new Error(`${target.origin} did not answer within ${TIMEOUT_MS} ms.`);
    opening.cancelled = true;
    opening.socket?.destroy(error);
    stop(error);
  }, TIMEOUT_MS);
  try {
    const { socket } = await connector.open(target, opening);
    return await new Promise<string>((resolve, reject) => {
      stop = reject;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const host = new URL(url).host;
      const sent = request(
        { method: 'GET', path: target.path, headers: { host, connection: 'close' }, createConnection: () => socket },
        (response) => {
          const { statusCode = 0 } = response;
          if (statusCode < 200 || statusCode > 299) reject(new Error(`${target.origin} answered ${statusCode}.`));
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes > MAX_BYTES) reject(new Error(`${target.origin} answered more than ${MAX_BYTES} bytes.`));
            else chunks.push(chunk);
          });
          response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
          response.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end();
    }).finally(() => socket.destroy());
  } finally {
    clearTimeout(timer);
  }
}
