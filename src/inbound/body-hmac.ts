import type { Encoding, Hash, SignatureScheme } from './provider.ts';

/** The common scheme: an HMAC with the secret's text, in one header, of the body unless `content` says more. */
export function bodyHmac({
  header,
  prefix,
  hash = 'sha256',
  encoding = 'hex',
  content = '{body}',
}: {
  header: string | readonly string[];
  prefix?: string;
  hash?: Hash;
  encoding?: Encoding;
  content?: string;
}): SignatureScheme {
  return {
    kind: 'signature',
    algorithm: `hmac-${hash}`,
    key: 'text',
    signature: prefix === undefined ? { form: 'whole', header } : { form: 'whole', header, prefix },
    encoding,
    content,
  };
}
