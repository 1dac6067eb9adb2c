// What the receiver writes down of every request.
export interface Receipt {
  /** Order of arrival, over all endpoints. */
  order: number;
  /** The last part of the path: the endpoint's name in the suite. */
  endpoint: string;
  /** webhook-id */
  id: string;
  position: number;
  attempt: number;
  /** Of the bytes of `data` in the envelope; empty when it was not looked at. */
  dataHash: string;
  /** By the official verifier of Standard Webhooks: of a signature that holds, `late` says that only its time is off. A black hole looks at none. */
  signature: 'good' | 'late' | 'bad' | 'unseen';
  /** What it was answered; null = nothing. */
  status: number | null;
  /** Requests open at this endpoint when it came, itself included. */
  concurrent: number;
  atMs: number;
}

export function isAccepted({ status }: Receipt): boolean {
  return status !== null && status >= 200 && status < 300;
}
