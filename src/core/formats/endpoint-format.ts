// In which format an endpoint is sent its events, as it is configured.
import type { FieldError } from '../errors.ts';

export const FORMAT_NAMES = ['standard', 'slack'] as const;
export type FormatName = (typeof FORMAT_NAMES)[number];

export type EndpointFormat = { name: 'standard' } | { name: 'slack' };

/** As received: a name alone stands for the format with its defaults. */
export type FormatInput = string | { name: string };

export const STANDARD_FORMAT: EndpointFormat = { name: 'standard' };

/** What is wrong with a format as received; empty when it is usable. */
export function checkFormat(format: FormatInput): FieldError[] {
  const name = nameOf(format);
  if ((FORMAT_NAMES as readonly string[]).includes(name)) return [];
  const path = typeof format === 'string' ? '/format' : '/format/name';
  return [{ path, message: `There is no format ${JSON.stringify(name)}. The formats are ${FORMAT_NAMES.join(', ')}.` }];
}

/** A format that was checked. */
export function normaliseFormat(format: FormatInput): EndpointFormat {
  return { name: nameOf(format) as FormatName };
}

const ARRAY_FORMATS: readonly FormatName[] = ['standard'];

/** What is wrong with asking for several events in one request. */
export function checkBatchFormat(format: EndpointFormat): FieldError[] {
  if (ARRAY_FORMATS.includes(format.name)) return [];
  const message = `The format ${format.name} has no form for several events. Leave \`batch\` out, or use one of ${ARRAY_FORMATS.join(', ')}.`;
  return [{ path: '/batch', message }];
}

function nameOf(format: FormatInput): string {
  return typeof format === 'string' ? format : format.name;
}
