import type { IngestRequest } from '../inbound/ingest.ts';
import type { WebhookResponse } from '../inbound/webhook-response.ts';

/** What takes in the requests to sources: `inbound` as the API knows it. */
export interface Receiver {
  receive(token: string, request: IngestRequest): Promise<WebhookResponse>;
  refuseTooLarge(token: string, request: IngestRequest, detail: string): Promise<WebhookResponse>;
  /** After a source was changed by this process: it obeys at once. */
  sourceChanged(sourceId: string): void;
}
