// As Stripe signs ("Verify webhook signatures manually"): `t=<seconds>,v1=<hex>` with HMAC-SHA256 over `<seconds>.<body>`, one `v1` per
// secret. The key is the whole text of the secret, `whsec_` included.
import { createHmac } from 'node:crypto';
import { currentKeys, type Signer, type TimedKey } from './signer.ts';
import type { StripeSigning } from './signing.ts';

export function stripeSigner({ header }: StripeSigning, keys: readonly TimedKey[]): Signer {
  return {
    sign(headers, { timeMs, body }) {
      const seconds = Math.floor(timeMs / 1000);
      let value = `t=${seconds}`;
      for (const { key } of currentKeys(keys, timeMs)) {
        value += `,v1=${createHmac('sha256', key).update(`${seconds}.`).update(body).digest('hex')}`;
      }
      headers[header] = value;
    },
  };
}
