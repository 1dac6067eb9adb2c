// How an endpoint's requests are signed, as the API shows and takes it. What the values may be is core/signing/signing-config.ts.
import { z } from 'zod';
import {
  DIGEST_ALGORITHMS,
  HMAC_ALGORITHMS,
  MESSAGE_ALGORITHMS,
  SECRET_ENCODINGS,
  SIGNATURE_ENCODINGS,
  STANDARD_SCHEMES,
  TIMESTAMP_UNITS,
} from '../core/signing/signing.ts';

const NAMED = z.enum([...STANDARD_SCHEMES, 'none']);

const github = { scheme: z.literal('github') };
const stripe = { scheme: z.literal('stripe'), header: z.string().describe('Default: `stripe-signature`.') };
const hmac = {
  scheme: z.literal('hmac'),
  header: z.string().describe('The header that carries the signature. Default: `x-signature`.'),
  algorithm: z.enum(HMAC_ALGORITHMS),
  encoding: z.enum(SIGNATURE_ENCODINGS),
  prefix: z
    .string()
    .describe('Stands before the signature, such as `sha256=` or `t={timestamp},v1=`. Default: nothing.'),
  content: z
    .string()
    .describe(
      'What is signed: text in which `{body}`, `{id}`, `{timestamp}`, `{method}` and `{url}` stand for parts of the request. Default: `{body}`.',
    ),
  secretEncoding: z.enum(SECRET_ENCODINGS).describe("How the secret's text becomes the key. Default: `utf8`."),
  timestampUnit: z.enum(TIMESTAMP_UNITS).describe('Of `{timestamp}` and `timestampHeader`. Default: `seconds`.'),
  timestampHeader: z.string().nullable().describe('A header that carries the time, beside `webhook-timestamp`.'),
  idHeader: z.string().nullable().describe('A header that carries the id, beside `webhook-id`.'),
  separator: z
    .string()
    .nullable()
    .describe(
      "Stands between the signatures of two secrets during a rotation's grace; null (default): the header carries one, and there is no grace.",
    ),
};
const rfc9421 = {
  scheme: z.literal('rfc9421'),
  algorithm: z.enum(MESSAGE_ALGORITHMS).describe('Default: `hmac-sha256`.'),
  components: z
    .array(z.string())
    .describe(
      'What is signed, in this order: derived components such as `@method` and header fields; `content-digest` must be among them. Default: `@method`, `@target-uri`, `content-type`, `content-digest`, `webhook-id`.',
    ),
  digest: z.enum(DIGEST_ALGORITHMS).describe('Of `content-digest` (RFC 9530). Default: `sha-256`.'),
  keyId: z.string().nullable().describe('`keyid`; null: derived from the key, as `GET …/secret` tells it.'),
  tag: z.string().nullable().describe('`tag`; null: none.'),
};

const CHOICE =
  'How requests are signed. `v1` (default; HMAC-SHA256) and `v1a` (Ed25519): Standard Webhooks. `github` and `stripe`: as these sign. `hmac`: an HMAC in a header of your choice. `rfc9421`: HTTP Message Signatures. `none`: not at all.';

export const SigningSchema = z
  .union([NAMED, z.object(github), z.object(stripe), z.object(hmac), z.object(rfc9421)])
  .describe(CHOICE);

/** All but the scheme may be left out. */
export const SigningInputSchema = z
  .union([
    NAMED,
    z.discriminatedUnion('scheme', [
      z.strictObject(github).meta({ id: 'GitHubSigning' }),
      z.strictObject(stripe).partial({ header: true }).meta({ id: 'StripeSigning' }),
      z.strictObject(hmac).partial().required({ scheme: true }).meta({ id: 'HmacSigning' }),
      z.strictObject(rfc9421).partial().required({ scheme: true }).meta({ id: 'MessageSigning' }),
    ]),
  ])
  .describe(CHOICE);
