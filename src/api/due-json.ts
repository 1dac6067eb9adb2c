// An endpoint's events as whoever fetches them sees them, and on request each as the request that the endpoint would be sent.
import { z } from 'zod';
import type { LogEvent } from '../core/event.ts';
import { FormatError } from '../core/formats/event-format.ts';
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
          .nullable()
          .optional()
          .describe(
            "With `signatures=true`: the request as the endpoint would be sent it now, in the endpoint's format.",
          ),
        formatError: z
          .string()
          .optional()
          .describe('Why there is no such request: the event cannot be written in that format.'),
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
    chunks.push(json.subarray(0, -1), Buffer.from(`,${JSON.stringify(requestOf(parts.view, event)).slice(1)}`));
  }
  chunks.push(Buffer.from(`],"cursor":"${cursorOf(page.cursor)}","done":${page.done}}`));
  return Buffer.concat(chunks);
}

function requestOf(view: EndpointView, event: LogEvent): object {
  try {
    const { headers, body } = view.request(event);
    return { webhook: { headers, body: body.toString('utf8') } };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { webhook: null, formatError: error.message };
  }
}
