import { type EventFormat, FormatError, type FormattedEvent } from './event-format.ts';

/**
 * `{"type":…,"id":…,"url":…}`: the receiver fetches the event from the API, with a key of its own. Several are an array of these.
 * Ids and types need no escapes.
 */
export function thinFormat(publicUrl: string | null): EventFormat {
  const write = ({ appId, type, id }: FormattedEvent): string => {
    if (publicUrl === null) {
      throw new FormatError('The format thin needs the address of this server. Start it with --public-url.', {
        isPassing: true,
      });
    }
    return `{"type":"${type}","id":"${id}","url":${JSON.stringify(`${publicUrl}/v1/apps/${appId}/events/${id}`)}}`;
  };
  const contentType = 'application/json';
  return {
    one: (event) => ({ body: Buffer.from(write(event)), contentType }),
    many: (events) => ({ body: Buffer.from(`[${events.map(write).join(',')}]`), contentType }),
  };
}
