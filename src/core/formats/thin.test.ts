import { describe, expect, test } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { FormatError } from './event-format.ts';
import { thinFormat } from './thin.ts';

const event = formattedEvent({ secret: 1 });
const item = {
  type: event.type,
  id: event.id,
  url: `https://events.example/base/v1/apps/${event.appId}/events/${event.id}`,
};

describe('thin', () => {
  test('is type, id and where the event can be fetched, and nothing of the data', () => {
    const { one, many } = thinFormat('https://events.example/base');
    expect(JSON.parse(one(event).body.toString())).toEqual(item);
    expect(JSON.parse(many!([event, event]).body.toString())).toEqual([item, item]);
  });

  test('fails for the time being where the server does not know its address', () => {
    const failing = () => thinFormat(null).one(event);
    expect(failing).toThrow(FormatError);
    expect(failing).toThrow(
      expect.objectContaining({ isPassing: true, message: expect.stringContaining('--public-url') }),
    );
  });
});
