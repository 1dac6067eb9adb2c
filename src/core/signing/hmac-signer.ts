// An HMAC put together from options, for receivers that are there already.
import { createHmac } from 'node:crypto';
import { fillTemplate, parseTemplate } from './signed-template.ts';
import { currentKeys, type Signer, type TimedKey } from './signer.ts';
import type { HmacSigning } from './signing.ts';

export function hmacSigner(signing: HmacSigning, keys: readonly TimedKey[]): Signer {
  const { header, algorithm, encoding, timestampHeader, idHeader, separator } = signing;
  const content = parseTemplate(signing.content);
  const prefix = parseTemplate(signing.prefix);
  const msPerUnit = signing.timestampUnit === 'seconds' ? 1000 : 1;
  return {
    sign(headers, request) {
      const timestamp = String(Math.floor(request.timeMs / msPerUnit));
      if (timestampHeader !== null) headers[timestampHeader] = timestamp;
      if (idHeader !== null) headers[idHeader] = request.id;
      let begin = '';
      fillTemplate(prefix, request, timestamp, (part) => {
        begin += part;
      });
      const current = separator === null ? keys.slice(0, 1) : currentKeys(keys, request.timeMs);
      const signatures = current.map(({ key }) => {
        const hmac = createHmac(algorithm, key);
        fillTemplate(content, request, timestamp, (part) => hmac.update(part));
        return begin + hmac.digest(encoding);
      });
      headers[header] = signatures.join(separator ?? '');
    },
  };
}
