import type { Refusal, RefusalReason } from './refusal.ts';
import type { RequestView } from './webhook-request.ts';

export interface CheckContext {
  /** Those that the scheme is for; none is empty. */
  readonly secrets: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly nowMs: number;
  /** The text (PEM) of a certificate that was fetched before; undefined = not fetched. */
  readonly certificate: (url: string) => string | undefined;
}

/** `secret` is the one that fits, where there is one. `certificate`: it cannot be told before the certificate at this URL (of a host that the row pins) was fetched. */
export type Verdict =
  | { readonly kind: 'valid'; readonly secret: string | null }
  | { readonly kind: 'certificate'; readonly url: string }
  | ({ readonly kind: 'invalid' } & Refusal);

/** Verifies what no template describes. */
export type CustomCheck = (view: RequestView, context: CheckContext) => Verdict;

export const VALID: Verdict = { kind: 'valid', secret: null };

export function invalid(reason: RefusalReason, about?: string): Verdict {
  return about === undefined ? { kind: 'invalid', reason } : { kind: 'invalid', reason, about };
}
