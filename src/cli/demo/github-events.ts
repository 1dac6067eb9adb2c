// The real payloads that GitHub sends, collected by Octokit, as events to publish.
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';

export interface DemoEvent {
  id: string;
  type: string;
  /** The JSON text that is published as `data`. */
  data: string;
  /** SHA-256 of the bytes of `data`, in hex. */
  dataHash: string;
}

interface ExampleGroup {
  name: string;
  examples: unknown[];
}

/** Every payload as an event of type `github.<event>`, as often as it takes to have at least `atLeast` events. */
export function githubEvents(atLeast: number): DemoEvent[] {
  const payloads = loadPayloads();
  const rounds = Math.ceil(atLeast / payloads.length);
  return Array.from({ length: rounds }, (_, round) =>
    payloads.map((payload, i) => ({ ...payload, id: `github_${round + 1}_${i + 1}` })),
  ).flat();
}

function loadPayloads(): Omit<DemoEvent, 'id'>[] {
  // The package is one JSON file, which Node 20 imports only with an attribute that older tools do not parse.
  const groups: Record<string, ExampleGroup> = createRequire(import.meta.url)('@octokit/webhooks-examples');
  const payloads = Object.values(groups).flatMap(({ name, examples }) =>
    examples.map((example) => {
      const data = JSON.stringify(example);
      return { type: `github.${name}`, data, dataHash: createHash('sha256').update(data).digest('hex') };
    }),
  );
  // The examples lie by event; spread them, so that each type comes now and then, as it does in life. The step has no
  // divisor in common with the number of payloads, so every payload is taken once.
  let step = Math.floor(payloads.length * 0.618);
  while (greatestCommonDivisor(step, payloads.length) !== 1) step++;
  return payloads.map((_, i) => payloads[(i * step) % payloads.length]);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
