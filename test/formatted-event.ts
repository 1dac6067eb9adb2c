import type { FormattedEvent } from '../src/core/formats/event-format.ts';

/** An event as formats take it, with data given as a value or as its JSON text. */
export function formattedEvent(
  data: unknown,
  more: Partial<Omit<FormattedEvent, 'data'>> & { json?: string } = {},
): FormattedEvent {
  const { json = JSON.stringify(data), ...rest } = more;
  return {
    appId: 'app_01k8xw4t0e00000000000000a1',
    id: 'evt_01k8xw4t0e00000000000000e1',
    type: 'invoice.paid',
    timeMs: Date.parse('2026-11-21T10:00:00Z'),
    position: 7,
    channels: [],
    data: Buffer.from(json),
    ...rest,
  };
}
