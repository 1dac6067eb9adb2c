// From an attempt to the request that is sent for it, and back to its result. An endpoint without a transformation is sent to at once; one with
// waits for what its code says, outside of the lane's turn.
import { TidingsError } from '../core/errors.ts';
import { failpoint } from '../core/failpoint.ts';
import type { FormattedEvent } from '../core/formats/event-format.ts';
import type { SendResult } from '../core/outcome.ts';
import type { AccessTokens } from './access-tokens.ts';
import type { DeliveryBatch } from './delivery-batch.ts';
import { buildBatch, buildRequest, type DeliveryRequest } from './delivery-request.ts';
import type { LoadedEndpoint } from './loaded-endpoint.ts';
import type { Sender } from './sender.ts';
import { buildTransformed, type SentVerdict, transformedEvent, unsentResult } from './transformed-request.ts';
import type { Transformer } from './transformer.ts';
import { unbuilt, unsent } from './unsent.ts';

export interface AttemptSenderParts {
  sender: Pick<Sender, 'send'>;
  tokens: Pick<AccessTokens, 'send'>;
  transformer: Pick<Transformer, 'verdictOf'>;
  version: string;
  onError: (error: unknown) => void;
}

/** One attempt with a request of its own. */
export interface SoleAttempt {
  readonly endpoint: LoadedEndpoint;
  readonly event: FormattedEvent;
  readonly attempt: number;
  readonly startedMs: number;
  readonly transformationVersion: number | null;
}

type Done = (result: SendResult) => void;

/**
 * Whether what had to wait may still be sent: `later` = not now, so its event is tried again; `never` = it is nobody's here any more, so nothing
 * comes of it.
 */
export type Leave = 'now' | 'later' | 'never';

export class AttemptSender {
  readonly #parts: AttemptSenderParts;

  constructor(parts: AttemptSenderParts) {
    this.#parts = parts;
  }

  /** Never throws; calls `done` once, after it has returned. `mayLeave` is asked only of what had to wait for a transformation. */
  send(request: SoleAttempt | DeliveryBatch, done: Done, mayLeave: () => Leave): void {
    const { endpoint } = request;
    if (endpoint.target instanceof TidingsError) {
      setImmediate(done, unsent('rejected', 'address_forbidden', endpoint.target.detail));
      return;
    }
    if (request.transformationVersion !== null) {
      void this.#transform(request, done, mayLeave);
      return;
    }
    const { version } = this.#parts;
    failpoint('lane.before_send');
    let built: DeliveryRequest;
    try {
      built = 'attempts' in request ? buildBatch(request, version) : buildRequest(endpoint, request, version);
    } catch (error) {
      // A request that was begun has an outcome, or its lane would wait for it for ever.
      setImmediate(done, unbuilt(error, this.#parts.onError));
      return;
    }
    this.#send(endpoint, built, done);
  }

  #send(endpoint: LoadedEndpoint, built: DeliveryRequest, done: Done): void {
    if (endpoint.target instanceof TidingsError) return;
    const { headers, body, method, path } = built;
    const target = path === undefined ? endpoint.target : { ...endpoint.target, path };
    const { config, echoes } = endpoint;
    const sent = { target, headers, body, method, timeoutMs: config.timeoutMs, echoes };
    if (endpoint.grant === null) this.#parts.sender.send(sent, done);
    else this.#parts.tokens.send(endpoint.grant, sent, done);
  }

  async #transform(request: SoleAttempt | DeliveryBatch, done: Done, mayLeave: () => Leave): Promise<void> {
    let ready: DeliveryRequest | SendResult | null;
    try {
      ready =
        'attempts' in request ? await this.#readyBatch(request, mayLeave) : await this.#readyOne(request, mayLeave);
    } catch (error) {
      ready = unbuilt(error, this.#parts.onError);
    }
    if (ready === null) return;
    if ('outcome' in ready) setImmediate(done, ready);
    else this.#send(request.endpoint, ready, done);
  }

  async #readyOne(open: SoleAttempt, mayLeave: () => Leave): Promise<DeliveryRequest | SendResult | null> {
    const { endpoint, event, attempt, transformationVersion } = open;
    const version = transformationVersion!;
    const verdict = await this.#parts.transformer.verdictOf(endpoint, version, event);
    const leave = mayLeave();
    if (leave === 'never') return null;
    const own = unsentResult(verdict, version, false);
    if (own !== null) return own;
    if (leave === 'later') return TOO_LATE;
    failpoint('lane.before_send');
    // Signed as of now: it may have waited.
    const of = { event, attempt, startedMs: Date.now() };
    return buildTransformed(endpoint, of, verdict as SentVerdict, this.#parts.version);
  }

  /** Each event has a verdict of its own; those that are not sent have a result of their own with it. */
  async #readyBatch(batch: DeliveryBatch, mayLeave: () => Leave): Promise<DeliveryRequest | SendResult | null> {
    const { endpoint, attempts, batchUuid } = batch;
    const { transformer, version } = this.#parts;
    const events = await Promise.all(
      attempts.map(async (open) => {
        if (open.transformationVersion === null) return open.event;
        const verdict = await transformer.verdictOf(endpoint, open.transformationVersion, open.event);
        open.own = unsentResult(verdict, open.transformationVersion, true);
        return open.own === null ? transformedEvent(open.event, verdict as SentVerdict) : null;
      }),
    );
    const leave = mayLeave();
    if (leave === 'never') return null;
    const sent = attempts.filter(({ own }) => own === null);
    if (sent.length === 0) return attempts[0].own;
    if (leave === 'later') return TOO_LATE;
    failpoint('lane.before_send');
    const given = { batchUuid, endpoint, attempts: sent, events: events.filter((event) => event !== null) };
    return buildBatch({ ...given, startedMs: Date.now() }, version);
  }
}

const TOO_LATE = unsent('unreachable', 'transform_unavailable', 'It waited for its transformation for too long.');
