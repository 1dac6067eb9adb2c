// The data of events as values. It is parsed when something first asks for it, and kept for a while, so that a thousand filters cost one
// parse: all endpoints of an app are asked about an event one after the other. What is kept is bounded by the bytes it was parsed from.

const MAX_KEPT_BYTES = 1024 * 1024;
const MAX_KEPT_VALUES = 512;

const kept = new Map<Buffer, unknown>(); // insertion order = age
let keptBytes = 0;
let latest: Buffer | null = null;
let latestValue: unknown;

/**
 * The value of an event's data; nobody may change it. Numbers are doubles: 12345678901234567890 is the nearest one, 1e400 is Infinity.
 * @throws SyntaxError when it is no JSON, which publishing excludes
 */
export function readData(data: Buffer): unknown {
  if (data === latest) return latestValue;
  const value = parse(data);
  latest = data;
  latestValue = value;
  return value;
}

function parse(data: Buffer): unknown {
  const known = kept.get(data);
  if (known !== undefined) return known;
  const value: unknown = JSON.parse(data.toString('utf8'));
  if (data.length > MAX_KEPT_BYTES / 4) return value;
  kept.set(data, value);
  keptBytes += data.length;
  for (const oldest of kept.keys()) {
    if (keptBytes <= MAX_KEPT_BYTES && kept.size <= MAX_KEPT_VALUES) break;
    kept.delete(oldest);
    keptBytes -= oldest.length;
  }
  return value;
}
