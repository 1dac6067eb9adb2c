// The invariants of docs/design, asserted on what a scenario has left behind. Each function returns its violations in words; none is none.
import type { Ledger, WatchedEndpoint } from './ledger.ts';
import { percentile } from './ledger.ts';
import { isAccepted } from './receipt.ts';

/** What the database holds at the end, by endpoint id. */
export interface Recorded {
  attempts: Map<string, number>;
  /** Ids of events that were given up: a terminal state that everybody can see. */
  dead: Map<string, Set<string>>;
  /** Leases that ended without being given back: by a kill, or because they ran out. */
  lostLeases: number;
}

/** What a reader that pages by cursor was shown. */
export interface ReadLog {
  appId: string;
  events: { id: string; position: number }[];
}

const SHOWN = 3;

function few(all: string[]): string {
  return all.length > SHOWN ? `${all.slice(0, SHOWN).join(', ')} and ${all.length - SHOWN} more` : all.join(', ');
}

/** I1: every acknowledged event has reached every endpoint of its app, or is dead where everybody can see it. */
export function lostEvents(ledger: Ledger, { dead }: Pick<Recorded, 'dead'>): string[] {
  return ledger.endpoints.flatMap((endpoint) => {
    const given = dead.get(endpoint.id);
    const lost = ledger.missing(endpoint).filter(({ id }) => !given?.has(id));
    if (lost.length === 0) return [];
    const which = few(lost.map(({ id, acknowledged }) => `${id} at position ${acknowledged?.position}`));
    return [`I1: ${lost.length} acknowledged events have not reached ${endpoint.name}: ${which}`];
  });
}

/** I2: sends ≤ attempts recorded + lost leases × the open bound, for every endpoint. */
export function unrecordedSends(ledger: Ledger, recorded: Pick<Recorded, 'attempts' | 'lostLeases'>): string[] {
  const sends = new Map<string, number>();
  for (const { endpoint } of ledger.receipts) sends.set(endpoint, (sends.get(endpoint) ?? 0) + 1);
  return ledger.endpoints.flatMap(({ name, id, openBound }) => {
    const [sent, attempts] = [sends.get(name) ?? 0, recorded.attempts.get(id) ?? 0];
    const allowed = attempts + recorded.lostLeases * openBound;
    if (sent <= allowed) return [];
    return [`I2: ${name} was sent ${sent} requests; ${attempts} attempts are recorded, ${allowed} are allowed`];
  });
}

/** I3: at a strict endpoint no event comes before an earlier one has been accepted or is dead. */
export function overtakings(ledger: Ledger, { dead }: Pick<Recorded, 'dead'>): string[] {
  return ledger.endpoints
    .filter(({ order }) => order === 'strict')
    .flatMap((endpoint) => {
      const given = dead.get(endpoint.id) ?? new Set<string>();
      const order = ledger
        .acknowledgedOf(endpoint.appId)
        .map(({ id, acknowledged }) => ({ id, position: acknowledged!.position }))
        .sort((a, b) => a.position - b.position);
      const receipts = ledger.receipts.filter((receipt) => receipt.endpoint === endpoint.name);
      const accepted = new Set<string>();
      let next = 0;
      for (const receipt of receipts) {
        while (next < order.length && (accepted.has(order[next].id) || given.has(order[next].id))) next++;
        if (next < order.length && receipt.position > order[next].position) {
          return [
            `I3: ${endpoint.name} was sent position ${receipt.position} before ${order[next].position} was accepted`,
          ];
        }
        if (isAccepted(receipt)) accepted.add(receipt.id);
      }
      return [];
    });
}

/** I4: no endpoint is sent what was not published for its app. */
export function foreignEvents(ledger: Ledger): string[] {
  const byName = new Map(ledger.endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const foreign = ledger.receipts.filter(({ endpoint, id }) => {
    const appId = byName.get(endpoint)?.appId;
    return appId === undefined || ledger.events.get(id)?.appId !== appId;
  });
  if (foreign.length === 0) return [];
  return [`I4: foreign events were received: ${few(foreign.map(({ endpoint, id }) => `${id} at ${endpoint}`))}`];
}

/** I5: a reader that pages by cursor sees each position once and in order, and in it all that was acknowledged, at its position. */
export function readerGaps(ledger: Ledger, logs: readonly ReadLog[]): string[] {
  return logs.flatMap(({ appId, events }) => {
    const wrong = events.findIndex(({ position }, i) => position !== i + 1);
    if (wrong >= 0)
      return [`I5: reading ${appId} by cursor, position ${events[wrong].position} came as number ${wrong + 1}`];
    const places = new Map(events.map(({ id, position }) => [id, position]));
    if (places.size < events.length) return [`I5: an id stands twice in the log of ${appId}`];
    const missed = ledger
      .acknowledgedOf(appId)
      .filter((event) => places.get(event.id) !== event.acknowledged?.position);
    if (missed.length === 0) return [];
    const which = few(
      missed.map(({ id, acknowledged }) => `${id} (acknowledged ${acknowledged?.position}, read ${places.get(id)})`),
    );
    return [`I5: reading ${appId} by cursor misses ${which}`];
  });
}

/** I6: the bytes of `data` are those that were published, and the signature holds. `lateAllowed`: the sender's clock was made wrong. */
export function spoiltBodies(ledger: Ledger, { lateAllowed = false } = {}): string[] {
  const spoilt = ledger.receipts.filter(({ id, dataHash, signature }) => {
    if (signature === 'unseen') return false;
    const event = ledger.events.get(id);
    if (event && event.dataHash !== dataHash) return true;
    return signature === 'bad' || (signature === 'late' && !lateAllowed);
  });
  if (spoilt.length === 0) return [];
  return [
    `I6: ${spoilt.length} bodies or signatures are wrong: ${few(spoilt.map(({ id, signature }) => `${id} (${signature})`))}`,
  ];
}

export interface Span {
  fromMs: number;
  toMs: number;
}

export interface DelayComparison {
  beforeMs: number;
  duringMs: number;
  violations: string[];
}

/** I7: the p99 from publish to delivery of healthy endpoints, before and during what others suffer. */
export function compareDelays(
  ledger: Ledger,
  healthy: readonly WatchedEndpoint[],
  spans: { before: Span; during: Span },
  bound: { factor: number; plusMs: number },
): DelayComparison {
  const beforeMs = percentile(ledger.delaysMs(healthy, spans.before), 99);
  const duringMs = percentile(ledger.delaysMs(healthy, spans.during), 99);
  const allowedMs = beforeMs * bound.factor + bound.plusMs;
  const fine = duringMs <= allowedMs;
  return {
    beforeMs,
    duringMs,
    violations: fine
      ? []
      : [
          `I7: p99 of healthy endpoints went from ${beforeMs} ms to ${duringMs} ms; ${Math.round(allowedMs)} ms are allowed`,
        ],
  };
}
