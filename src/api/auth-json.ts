// How Tidings proves to an endpoint who calls, as the API takes it, and without its secrets as it shows it.
import { z } from 'zod';
import { CLIENT_AUTHENTICATIONS } from '../core/endpoint-auth.ts';
import { Time } from './text.ts';

const WRITE_ONLY = 'Sealed, and never shown again.';

const CLIENT = {
  type: z.literal('oauth2'),
  tokenUrl: z
    .string()
    .describe('Where access tokens are asked for (RFC 6749, section 4.4); the address guard applies to it.'),
  clientId: z.string(),
};
const SCOPE = z.string().nullable();
const AUDIENCE = z.string().nullable().describe('Sent as `audience`, which some authorization servers ask for.');
const AUTHENTICATION = z
  .enum(CLIENT_AUTHENTICATIONS)
  .describe('How id and secret are given: `basic` (default), in a header; `body`, in the form.');

export const AuthSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('basic') }),
  z.object({ type: z.literal('bearer') }),
  z.object({ type: z.literal('header'), name: z.string() }),
  z.object({ ...CLIENT, scope: SCOPE, audience: AUDIENCE, clientAuthentication: AUTHENTICATION }),
  z.object({
    type: z.literal('mtls'),
    subject: z.string(),
    fingerprint: z.string().describe('SHA-256 of the certificate.'),
    expiresAt: Time,
    ownAuthorities: z
      .boolean()
      .describe('Whether the server is checked against `ca` instead of the public authorities.'),
  }),
]);

export const AuthInputSchema = z
  .discriminatedUnion('type', [
    z
      .strictObject({ type: z.literal('basic'), username: z.string(), password: z.string().describe(WRITE_ONLY) })
      .meta({ id: 'BasicAuth' }),
    z.strictObject({ type: z.literal('bearer'), token: z.string().describe(WRITE_ONLY) }).meta({ id: 'BearerAuth' }),
    z
      .strictObject({ type: z.literal('header'), name: z.string(), value: z.string().describe(WRITE_ONLY) })
      .meta({ id: 'HeaderAuth' }),
    z
      .strictObject({
        ...CLIENT,
        clientSecret: z.string().describe(WRITE_ONLY),
        scope: SCOPE.optional(),
        audience: AUDIENCE.optional(),
        clientAuthentication: AUTHENTICATION.nullish(),
      })
      .meta({ id: 'OAuth2Auth' }),
    z
      .strictObject({
        type: z.literal('mtls'),
        certificate: z.string().describe('PEM: the certificate, and after it those between it and its authority.'),
        key: z.string().describe(`PEM, without a passphrase. ${WRITE_ONLY}`),
        ca: z
          .string()
          .nullish()
          .describe("PEM: authorities that the server's certificate must be of, instead of the public ones."),
      })
      .meta({ id: 'MutualTlsAuth' }),
  ])
  .describe('How Tidings proves who calls; null: not at all. Replaced as a whole.');
