import type { SignatureScheme } from './provider.ts';

/** A header of pairs, `t=…,v1=…`, over `{timestamp}.{body}` with the secret's text, as Stripe made it common. */
export function pairedHmac({
  header,
  timestampPair = 't',
  pair = 'v1',
  unit = 's',
  toleranceSeconds = 300,
  encoding = 'hex',
  content = '{timestamp}.{body}',
}: {
  header: string;
  timestampPair?: string;
  pair?: string;
  unit?: 's' | 'ms';
  toleranceSeconds?: number;
  encoding?: 'hex' | 'base64url';
  content?: string;
}): SignatureScheme {
  return {
    kind: 'signature',
    algorithm: 'hmac-sha256',
    key: 'text',
    signature: { form: 'pairs', header, pair },
    encoding,
    timestamp: { at: { pair: timestampPair }, unit, toleranceSeconds },
    content,
  };
}
