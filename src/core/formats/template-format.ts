import { TidingsError } from '../errors.ts';
import { checkJson } from '../json-scan.ts';
import {
  type EventFormat,
  FormatError,
  type FormattedBody,
  type FormattedEvent,
  MAX_BODY_BYTES,
} from './event-format.ts';
import { lazyTemplate, templateVariables } from './liquid-template.ts';
import { ESCAPE, escapeFor } from './output-escape.ts';

export interface TemplateOptions {
  /** Liquid. */
  body: string;
  contentType: string;
}

/** The whole body by the user's template. What claims to be JSON is. */
export function templateFormat({ body, contentType }: TemplateOptions): EventFormat {
  const escapeName = escapeFor(contentType) ?? 'none';
  const write = lazyTemplate(body, ESCAPE[escapeName]);
  const format = (events: readonly FormattedEvent[]): FormattedBody => {
    const bytes = Buffer.from(write(templateVariables(events)));
    if (bytes.length > MAX_BODY_BYTES) throw new FormatError(`The template makes more than ${MAX_BODY_BYTES} bytes.`);
    if (escapeName === 'json') checkOutput(bytes);
    return { body: bytes, contentType };
  };
  return { one: (event) => format([event]), many: format };
}

function checkOutput(bytes: Buffer): void {
  try {
    checkJson(bytes);
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    throw new FormatError(error.detail.replace('The body', 'What the template makes of the event'));
  }
}
