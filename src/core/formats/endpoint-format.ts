// In which format an endpoint is sent its events, as it is configured.
import type { FieldError } from '../errors.ts';
import type { ChatOptions } from './chat-message.ts';
import type { CloudEventOptions } from './cloud-event.ts';
import {
  checkAttributes,
  checkBody,
  checkChatId,
  checkContentType,
  checkFields,
  checkHandshake,
  checkHeaderNames,
  checkMode,
  checkSource,
  checkSwitch,
  checkText,
  checkThreadId,
  checkTitle,
  type OptionCheck,
} from './format-options.ts';
import type { OriginalOptions } from './original.ts';
import type { TelegramOptions } from './telegram.ts';
import type { TemplateOptions } from './template-format.ts';

export type EndpointFormat =
  | { name: 'standard' | 'raw' | 'thin' | 'xml' | 'form' }
  | ({ name: 'original' } & OriginalOptions)
  | ({ name: 'cloudevents' } & CloudEventOptions)
  | ({ name: 'slack' | 'discord' | 'teams' } & ChatOptions)
  | ({ name: 'telegram' } & TelegramOptions)
  | ({ name: 'template' } & TemplateOptions);
export type FormatName = EndpointFormat['name'];

/** As received: a name alone stands for the format with its defaults. */
export type FormatInput = string | { name: string };

export const STANDARD_FORMAT: EndpointFormat = { name: 'standard' };

const CHAT_OPTIONS = { title: checkTitle, template: checkText, link: checkTitle, fields: checkFields };

interface FormatRow {
  options: Readonly<Record<string, OptionCheck>>;
  required?: readonly string[];
  /** What absent options are stored as. */
  defaults?: Readonly<Record<string, unknown>>;
  /** Whether several events can go in one request; or with which options. */
  hasArray: boolean | ((format: EndpointFormat) => boolean);
}

const FORMATS: Readonly<Record<FormatName, FormatRow>> = {
  standard: { options: {}, hasArray: true },
  raw: { options: {}, hasArray: false },
  original: { options: { headers: checkHeaderNames }, hasArray: false },
  thin: { options: {}, hasArray: true },
  cloudevents: {
    options: { mode: checkMode, source: checkSource, attributes: checkAttributes, handshake: checkHandshake },
    defaults: { mode: 'structured' },
    hasArray: (format) => format.name === 'cloudevents' && format.mode === 'batch',
  },
  xml: { options: {}, hasArray: true },
  form: { options: {}, hasArray: false },
  slack: { options: CHAT_OPTIONS, hasArray: false },
  discord: { options: CHAT_OPTIONS, hasArray: false },
  teams: { options: CHAT_OPTIONS, hasArray: false },
  telegram: {
    options: { ...CHAT_OPTIONS, chatId: checkChatId, threadId: checkThreadId, silent: checkSwitch },
    required: ['chatId'],
    hasArray: false,
  },
  template: {
    options: { body: checkBody, contentType: checkContentType },
    required: ['body', 'contentType'],
    hasArray: true,
  },
};

export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** What is wrong with a format as received; empty when it is usable. */
export function checkFormat(format: FormatInput): FieldError[] {
  const { name, ...options } = parts(format);
  if (!Object.hasOwn(FORMATS, name)) {
    const path = typeof format === 'string' ? '/format' : '/format/name';
    return [
      { path, message: `There is no format ${JSON.stringify(name)}. The formats are ${FORMAT_NAMES.join(', ')}.` },
    ];
  }
  const row = FORMATS[name as FormatName];
  const errors: FieldError[] = [];
  for (const [option, value] of given(options)) {
    const check = Object.hasOwn(row.options, option) ? row.options[option] : null;
    const known = Object.keys(row.options);
    const message =
      check === null
        ? `The format ${name} has ${known.length === 0 ? 'no options' : `the options ${known.join(', ')}`}.`
        : check(value, options);
    if (message !== null)
      errors.push({ path: `/format/${option.replaceAll('~', '~0').replaceAll('/', '~1')}`, message });
  }
  for (const option of row.required ?? []) {
    if (options[option] !== undefined && options[option] !== null) continue;
    errors.push({ path: `/format/${option}`, message: `The format ${name} needs the option ${option}.` });
  }
  return errors;
}

/** A format that was checked. */
export function normaliseFormat(format: FormatInput): EndpointFormat {
  const { name, ...options } = parts(format);
  const { defaults } = FORMATS[name as FormatName] ?? {};
  return { name, ...defaults, ...Object.fromEntries(given(options)) } as EndpointFormat;
}

/** What is wrong with asking for several events in one request. */
export function checkBatchFormat(format: EndpointFormat): FieldError[] {
  if (canBatch(format)) return [];
  const others = FORMAT_NAMES.filter((name) => name !== 'cloudevents' && FORMATS[name].hasArray === true).join(', ');
  const doing =
    format.name === 'cloudevents'
      ? 'Give it the mode batch'
      : `Leave it out, or use one of ${others}, or cloudevents in mode batch`;
  const mode = format.name === 'cloudevents' ? ` in mode ${format.mode}` : '';
  return [{ path: '/batch', message: `The format ${format.name}${mode} has no form for several events. ${doing}.` }];
}

function canBatch(format: EndpointFormat): boolean {
  const { hasArray } = FORMATS[format.name];
  return typeof hasArray === 'boolean' ? hasArray : hasArray(format);
}

function parts(format: FormatInput): { name: string } & { [option: string]: unknown } {
  return typeof format === 'string' ? { name: format } : { ...format };
}

/** null is as good as absent. */
function given(options: { [option: string]: unknown }): [string, unknown][] {
  return Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
}
