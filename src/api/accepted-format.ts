// In which format the log is answered, by the Accept header (RFC 9110, 12.5.1).
import { TidingsError } from '../core/errors.ts';
import { FORMATS, LOG_FORMATS, type LogFormat, type LogFormatName } from '../pull/log-format.ts';

export const MEDIA_TYPES: Readonly<Record<LogFormatName, string>> = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  cloudevents: 'application/cloudevents-batch+json',
};

/** The format with the greatest weight, of several the first of ours. @throws TidingsError not_acceptable */
export function acceptedFormat(accept: string | undefined): LogFormat {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === MEDIA_TYPES.json) return FORMATS.json;
  const ranges = accept.toLowerCase().split(',').map(parseRange);
  let best: LogFormatName | null = null;
  let bestWeight = 0;
  for (const name of LOG_FORMATS) {
    const weight = weightOf(MEDIA_TYPES[name], ranges);
    if (weight > bestWeight) {
      best = name;
      bestWeight = weight;
    }
  }
  if (best !== null) return FORMATS[best];
  throw new TidingsError(
    'not_acceptable',
    `The log is read as ${Object.values(MEDIA_TYPES).join(', ')}. Ask for one of these in Accept, or leave it out.`,
  );
}

interface MediaRange {
  type: string;
  weight: number;
}

/** Parameters other than the weight tell nothing apart here. */
function parseRange(text: string): MediaRange {
  const [type, ...parameters] = text.split(';').map((part) => part.trim());
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  const value = weight === undefined ? 1 : Number(weight.slice(2));
  return { type, weight: value >= 0 && value <= 1 ? value : 0 };
}

/** The weight of the most specific range that takes the type. */
function weightOf(type: string, ranges: readonly MediaRange[]): number {
  const [group] = type.split('/');
  for (const wanted of [type, `${group}/*`, '*/*']) {
    const range = ranges.find((one) => one.type === wanted);
    if (range !== undefined) return range.weight;
  }
  return 0;
}
