// Every provider there is, by its id.
import type { Provider } from './provider.ts';
import { ADYEN } from './providers/adyen.ts';
import { BUSINESS } from './providers/business.ts';
import { CHAT } from './providers/chat.ts';
import { CLOUD } from './providers/cloud.ts';
import { CODE } from './providers/code.ts';
import { GENERIC } from './providers/generic.ts';
import { PAYMENTS } from './providers/payments.ts';
import { STANDARD_WEBHOOKS } from './providers/standard-webhooks.ts';
import { TWILIO } from './providers/twilio.ts';

export const PROVIDERS: readonly Provider[] = [
  ...[...BUSINESS, ...CHAT, ...CLOUD, ...CODE, ...PAYMENTS, ...STANDARD_WEBHOOKS, ADYEN, TWILIO].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  ),
  ...GENERIC,
];

const BY_ID: ReadonlyMap<string, Provider> = new Map(PROVIDERS.map((provider) => [provider.id, provider]));

/** A provider by its id; null when there is none. */
export function findProvider(id: string): Provider | null {
  return BY_ID.get(id) ?? null;
}
