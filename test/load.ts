// A load of publishers, each with a connection that it keeps, and the ledger of what came of it.
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export interface Load {
  /** Ids of the events that were answered with 202. */
  readonly acknowledged: Set<string>;
  /** What else happened to a request: a status, or an error's code. */
  readonly refusals: string[];
  /** Ends the load when what is under way has been answered. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Where to send the next request. */
  url: () => string;
  apiKey: string;
  appId: string;
  publishers?: number;
}

/** Begins at once. Nothing is repeated: whatever is not answered with 202 is a refusal. */
export function aLoad({ url, apiKey, appId, publishers = 6 }: LoadOptions): Load {
  const agent = new http.Agent({ keepAlive: true });
  const acknowledged = new Set<string>();
  const refusals: string[] = [];
  let isRunning = true;

  function publish(id: string): Promise<string> {
    return new Promise((resolve) => {
      const target = `${url()}/v1/apps/${appId}/events`;
      const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
      const request = http.request(target, { method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', () => resolve(String(response.statusCode)));
        response.on('error', (error) => resolve(`${error.message} in the answer`));
      });
      request.on('error', (error: NodeJS.ErrnoException) => resolve(`${error.code} ${error.message}`));
      request.end(JSON.stringify({ id, type: 'load', data: { id } }));
    });
  }

  const working = Array.from({ length: publishers }, async (_, publisher) => {
    for (let n = 0; isRunning; n++) {
      const id = `load_${publisher}_${n}`;
      const answer = await publish(id);
      if (answer === '202') acknowledged.add(id);
      else refusals.push(answer);
      await pause(5); // a load, not a flood: the machine has other work
    }
  });
  return {
    acknowledged,
    refusals,
    stop: async () => {
      isRunning = false;
      await Promise.all(working);
      agent.destroy();
    },
  };
}
