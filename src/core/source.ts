// A source is where events come in from outside: what the user configured, without its secrets.

export const SOURCE_KINDS = ['webhook', 'fetch'] as const;
export type SourceKind = (typeof SOURCE_KINDS)[number];

/** What a source's secret is for; others are named by the kind of source that has them. */
export const WEBHOOK_SECRET = 'webhook';

export interface Source {
  appId: string;
  id: string;
  uid: string | null;
  kind: SourceKind;
  /** As the kind has it; an older version of the program may have stored it. */
  config: Readonly<Record<string, unknown>>;
  /** The end of its URL, `/in/{token}`; null for one that nobody sends to. */
  token: string | null;
  /** What its secrets are for, one entry each. */
  secretNames: readonly string[];
  /** Neither takes nor fetches anything while this is set. */
  pausedAt: Date | null;
  /** Set by the server itself, when fetching makes no sense any more. */
  disabledAt: Date | null;
  disabledReason: string | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface SourceSecret {
  name: string;
  secret: string;
}
