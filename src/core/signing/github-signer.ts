// As GitHub signs its webhooks ("Validating webhook deliveries"): HMAC-SHA256 over the body, in hex. The header has room for one signature,
// which is that of the newest secret. Beside it go the two headers that receivers made for GitHub ask for, id and type.
import { createHmac } from 'node:crypto';
import type { Signer, TimedKey } from './signer.ts';

export function githubSigner([newest]: readonly TimedKey[]): Signer {
  return {
    sign(headers, { id, type, body }) {
      headers['x-github-delivery'] = id;
      if (type !== null) headers['x-github-event'] = type;
      headers['x-hub-signature-256'] = `sha256=${createHmac('sha256', newest.key).update(body).digest('hex')}`;
    },
  };
}
