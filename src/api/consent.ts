// The endpoint is asked before it is stored, where its format wants that (`handshake` of CloudEvents). What it consents to is its URL, the
// name of the sender and the rate.
import type { EndpointConfig } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import type { StoredCredential } from '../storage/endpoint-credentials.ts';
import type { Engine } from './engine.ts';

/**
 * A configuration to store: `config`, with no higher rate than the endpoint allows; `before` = as it is stored, null for a new one.
 * `credential` is asked for when the endpoint is.
 */
export async function withConsent(
  engine: Pick<Engine, 'askConsent'>,
  config: EndpointConfig,
  before: EndpointConfig | null,
  endpoint: { id: string; credential: () => Promise<StoredCredential | null> },
): Promise<EndpointConfig> {
  const origin = originOf(config);
  if (origin === null || (before !== null && subjectOf(before) === subjectOf(config))) return config;
  const { url, headers, rate, auth } = config;
  const stored = auth === null ? null : await endpoint.credential();
  const credential = auth === null || stored === null ? null : { endpointId: endpoint.id, auth, stored };
  const ratePerMinute = rate === null ? null : Math.ceil(rate.perSecond * 60);
  const allowed = await engine.askConsent({ url, headers, credential, origin, ratePerMinute });
  if (allowed.ratePerMinute === null || (rate !== null && rate.perSecond * 60 <= allowed.ratePerMinute)) return config;
  return { ...config, rate: { perSecond: Math.min(allowed.ratePerMinute / 60, 100_000) } };
}

/** What was consented to, in place of what was asked for. @throws TidingsError `conflict` when it was changed meanwhile */
export function agreed(
  asked: { config: EndpointConfig; allowed: EndpointConfig },
  now: EndpointConfig,
): EndpointConfig {
  if (subjectOf(asked.config) !== subjectOf(now)) {
    throw new TidingsError(
      'conflict',
      'The endpoint was changed by another request while it was asked for its consent. Try again.',
    );
  }
  return originOf(now) === null ? now : { ...now, rate: asked.allowed.rate };
}

/** null = no consent is wanted. */
function originOf({ mode, format }: EndpointConfig): string | null {
  if (mode !== 'push' || format.name !== 'cloudevents') return null;
  return format.handshake?.origin ?? null;
}

function subjectOf(config: EndpointConfig): string | null {
  const origin = originOf(config);
  return origin === null ? null : JSON.stringify([origin, config.url, config.rate?.perSecond ?? null]);
}
