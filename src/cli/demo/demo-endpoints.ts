// The four endpoints of the demo, and which events each must get: worked out here again, without the server's filter,
// so that a wrong match shows as a lost or an unexpected delivery.
import { randomBytes } from 'node:crypto';

export interface DemoEndpoint {
  name: string;
  /** Types or patterns in which `*` stands for any run of characters; null = all. */
  types: string[] | null;
  /** Standard Webhooks secret, `whsec_…`. */
  secret: string;
  /** Answers 500 to the first tries of events of these types, for so many events. */
  fails?: { types: string[]; tries: number; events: number };
  /** Its port refuses connections until it is opened, this long after the first publish. */
  downMs?: number;
  /** What it does wrong, in words. */
  trouble: string;
}

/** Seconds before each further attempt, for the endpoints in trouble: the default schedule outlasts a demo. */
export const RETRY_DELAYS_SECONDS = [1, 1, 2, 2, 5, 5, 5, 10, 10, 10];

export function demoEndpoints(): DemoEndpoint[] {
  const secret = () => `whsec_${randomBytes(24).toString('base64')}`;
  return [
    { name: 'everything', types: null, secret: secret(), trouble: '' },
    { name: 'code', types: ['github.push', 'github.pull_request*'], secret: secret(), trouble: '' },
    {
      name: 'flaky',
      types: ['github.issue*', 'github.star'],
      secret: secret(),
      // Stars are few among the issues: an endpoint that fails all it gets would open its breaker, which is another story.
      fails: { types: ['github.star'], tries: 2, events: 20 },
      trouble: 'answers 500 to the first two tries of 20 events',
    },
    {
      name: 'late',
      types: ['github.check_*', 'github.workflow_*'],
      secret: secret(),
      downMs: 3000,
      trouble: 'is down for the first 3 seconds',
    },
  ];
}

/** Whether an endpoint takes a type, in the most obvious way rather than the quickest. */
export function takes(types: string[] | null, type: string): boolean {
  return types === null || types.some((pattern) => matches(pattern, type));
}

function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*') return matches(pattern.slice(1), text) || (text !== '' && matches(pattern, text.slice(1)));
  return pattern[0] === text[0] && matches(pattern.slice(1), text.slice(1));
}
