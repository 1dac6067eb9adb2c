import type { EndpointFormat } from './endpoint-format.ts';
import type { EventFormat } from './event-format.ts';
import { slackFormat } from './slack.ts';

/** What writes events in a format; null = `standard`, which core/envelope.ts writes. */
export function compileFormat(format: EndpointFormat): EventFormat | null {
  switch (format.name) {
    case 'standard':
      return null;
    case 'slack':
      return slackFormat();
  }
}
