import fc from 'fast-check';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary', minLength: 2000, maxLength: 4500 }),
  fc.stringMatching(/^[\\*_~`|>#[\]()<&"@-]{0,300}$/),
  fc.webUrl({ withQueryParameters: true }),
);

/** Data of events of every kind, much of it too long for any chat. */
export const chatData = fc.oneof(
  fc.jsonValue(),
  fc.record({ title: text, text, url: fc.webUrl(), id: text, list: fc.array(text) }, { requiredKeys: [] }),
  fc.dictionary(text, text, { maxKeys: 30 }),
);

/** Milliseconds of every time that an event can have. */
export const anyTimeMs = fc.integer({ min: -62135596800000, max: 253402300799999 });
