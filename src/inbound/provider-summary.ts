// A provider as it is shown: in the command line's list and in the reference.
import { GENERIC_OPTIONS } from './configure-provider.ts';
import type { Pick, Place } from './place.ts';
import type { Evidence, Provider } from './provider.ts';
import { describeSchemes } from './scheme-words.ts';

export interface ProviderSummary {
  readonly id: string;
  readonly name: string;
  readonly docs: string;
  readonly evidence: Evidence;
  readonly checked: string;
  /** What is verified, a phrase for each kind of secret. */
  readonly verifies: readonly string[];
  readonly secret: string;
  /** Those of its own; every provider has the common ones besides. */
  readonly options: readonly { readonly name: string; readonly required: boolean; readonly doc: string }[];
  readonly handshakes: readonly { readonly name: string; readonly words: string }[];
  /** Where an event's type and id come from, in the order in which is looked; the id else is the body's hash. */
  readonly eventType: readonly string[];
  readonly eventId: readonly string[];
  readonly methods: readonly string[];
  /** The status of the answer once the event is stored. */
  readonly answer: number;
  readonly answerWithinSeconds: number | null;
  readonly note: string | null;
}

export function summarizeProvider(provider: Provider): ProviderSummary {
  const { id, name, docs, evidence, checked, secret, handshakes = [], options = [], methods = ['POST'] } = provider;
  const open = Object.entries(GENERIC_OPTIONS[id] ?? {}).map(([option, { doc }]) => ({ name: option, doc }));
  return {
    id,
    name,
    docs,
    evidence,
    checked,
    verifies: describeSchemes(provider),
    secret,
    options: [
      ...options.map(({ name: option, required, doc }) => ({ name: option, required, doc })),
      ...open.map((option) => ({ ...option, required: false })),
    ],
    handshakes: handshakes.map(({ name: handshake, words }) => ({ name: handshake, words })),
    eventType: provider.type.map(describePlace),
    eventId: provider.externalId.map(describePick),
    methods,
    answer: provider.accepted?.status ?? 200,
    answerWithinSeconds: provider.answerWithinSeconds ?? null,
    note: provider.note ?? null,
  };
}

function describePick(pick: Pick): string {
  return isJoined(pick) ? pick.map(describePlace).join(' with ') : describePlace(pick);
}

function isJoined(pick: Pick): pick is readonly Place[] {
  return Array.isArray(pick);
}

function describePlace(place: Place): string {
  if ('header' in place) return `header \`${place.header}\``;
  if ('body' in place) return `body \`${place.body}\``;
  if ('query' in place) return `query \`${place.query}\``;
  return 'constant' in place ? `constant \`${place.constant}\`` : 'the body’s hash';
}
