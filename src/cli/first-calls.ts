// The calls that `tidings dev` prints: an app, an endpoint, an event, and the log, ready to paste into a shell.
import type { Config } from '../app/config.ts';

export interface FirstCalls {
  url: string;
  apiKey: string;
  config: Pick<Config, 'allowHttp' | 'allowPrivate'>;
}

export function firstCalls({ url, apiKey, config }: FirstCalls): string {
  const isLocal = config.allowHttp && config.allowPrivate.length > 0;
  // .example never resolves (RFC 2606): what is pasted unchanged sends nothing to anybody.
  const endpoint = isLocal ? 'http://127.0.0.1:9000/webhooks' : 'https://your-server.example/webhooks';
  const call = (path: string, body: object): string =>
    `curl -sS -H "$AUTH" -H "$JSON" -d '${JSON.stringify(body)}' $TIDINGS/v1/apps${path}`;
  return [
    `TIDINGS=${url}`,
    `AUTH='Authorization: Bearer ${apiKey}'`,
    `JSON='Content-Type: application/json'`,
    call('', { uid: 'acme', name: 'Acme Ltd' }),
    call('/acme/endpoints', { uid: 'billing', url: endpoint }),
    call('/acme/events', { type: 'invoice.paid', data: { invoice: 'in_1', amount: 4200 } }),
    `curl -sS -H "$AUTH" $TIDINGS/v1/apps/acme/events`,
    `curl -sS -H "$AUTH" $TIDINGS/v1/apps/acme/endpoints/billing/attempts`,
  ].join('\n');
}
