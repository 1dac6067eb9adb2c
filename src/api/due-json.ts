// An endpoint's events as whoever fetches them sees them, and on request each as the request that the endpoint would be sent.
import { z } from 'zod';
import { uuidFromId } from '../core/id.ts';
import type { ReadPage } from '../pull/read-log.ts';
import type { Instance } from '../storage/instance.ts';
import type { EndpointView } from './engine.ts';
import { cursorWriter, EventSchema, renderEvent } from './event-json.ts';

export const DueEventPage = z
  .object({
    events: z.array(
      EventSchema.extend({
        webhook: z
          .object({ headers: z.record(z.string(), z.string()), body: z.string() })
          .optional()
          .describe('With `signatures=true`: the request as the endpoint would be sent it now.'),
      }).meta({ id: 'DueEvent' }),
    ),
    cursor: z.string().describe('To commit when all events are done, or to read on, as `after`.'),
    done: z.boolean().describe('The end of the log was reached. While it is false, read on at once.'),
  })
  .meta({ id: 'DueEventPage' });

/** `{events, cursor, done}`, the events' data as published. */
export function renderDuePage(
  page: ReadPage,
  parts: { instance: Instance; appId: string; view: EndpointView | null },
): Buffer {
  const cursorOf = cursorWriter(parts.instance, uuidFromId('app', parts.appId));
  const chunks: Buffer[] = [Buffer.from('{"events":[')];
  for (const [i, event] of page.events.entries()) {
    if (i > 0) chunks.push(Buffer.from(','));
    const json = renderEvent(event, cursorOf);
    if (parts.view === null) {
      chunks.push(json);
      continue;
    }
    const { headers, body } = parts.view.request(event);
    const webhook = { headers, body: body.toString('utf8') };
    chunks.push(json.subarray(0, -1), Buffer.from(`,"webhook":${JSON.stringify(webhook)}}`));
  }
  chunks.push(Buffer.from(`],"cursor":"${cursorOf(page.cursor)}","done":${page.done}}`));
  return Buffer.concat(chunks);
}
