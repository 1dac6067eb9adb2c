// An event as a message of Slack's incoming webhooks (docs.slack.dev: Block Kit reference, "Formatting message text").
import {
  type ChatField,
  type ChatMessage,
  type ChatOptions,
  type ChatOrigin,
  chatComposer,
  isLink,
} from './chat-message.ts';
import { type EventFormat, FormatError, jsonBody } from './event-format.ts';
import { fitMarkup, fitText, isUrl } from './fit-text.ts';

/** Of Slack's reference, in its characters. */
const LIMITS = { header: 150, sectionText: 3000, fields: 10, fieldText: 2000, contextText: 3000 } as const;
/** A tenth of a field is enough for its name. */
const MAX_LABEL = 200;

export function slackFormat(options: ChatOptions): EventFormat {
  const compose = chatComposer(options, escapeMrkdwn);
  return { one: (event) => jsonBody(slackMessage(compose(event))), many: null };
}

function slackMessage(message: ChatMessage): { text: string; blocks: unknown[] } {
  const { title, text, link, fields, more, origin } = message;
  const blocks: unknown[] = [];
  if (title !== null) {
    blocks.push({ type: 'header', text: { type: 'plain_text', text: fitText(title, LIMITS.header), emoji: false } });
  }
  if (text !== null) {
    const { value, isMarkup } = text;
    const fitting = isMarkup ? fitMarkup(value, LIMITS.sectionText) : fitText(value, LIMITS.sectionText, write);
    blocks.push({ type: 'section', text: mrkdwn(fitting) });
  }
  if (fields.length > 0) blocks.push({ type: 'section', fields: fields.slice(0, LIMITS.fields).map(field) });
  if (more > 0) blocks.push(context(`… and ${more} more ${more === 1 ? 'field' : 'fields'}`));
  if (link !== null) blocks.push({ type: 'section', text: mrkdwn(write(link)) });
  if (blocks.length === 0) throw new FormatError('The template makes an empty message for this event.');
  if (origin !== null) blocks.push(context(`${escapeMrkdwn(origin.type)} · ${time(origin)} · ${origin.id}`));
  return { text: notification(message), blocks };
}

/** What a notification shows, where no blocks are. */
function notification({ title, text, link, fields }: ChatMessage): string {
  if (text?.isMarkup) return fitMarkup(text.value, LIMITS.sectionText);
  const plain = [title, text?.value].filter((part) => part !== undefined && part !== null).join(': ');
  return fitText(plain || link || fields[0].value, LIMITS.sectionText, escapeMrkdwn);
}

function field({ label, value }: ChatField): unknown {
  const name = `*${fitText(label, MAX_LABEL, escapeMrkdwn)}*\n`;
  return mrkdwn(name + fitText(value, LIMITS.fieldText - name.length, write));
}

function context(text: string): unknown {
  return { type: 'context', elements: [mrkdwn(fitMarkup(text, LIMITS.contextText))] };
}

/** Verbatim: what stands in an event's data pings nobody and links to no channel. */
function mrkdwn(text: string): unknown {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** In the time zone of whoever reads it. Slack knows seconds since 1970. */
function time({ timeMs, time }: ChatOrigin): string {
  return timeMs < 0 ? time : `<!date^${Math.floor(timeMs / 1000)}^{date_short_pretty} {time}|${time}>`;
}

/** A character escaped, a URL as a link. */
function write(unit: string): string {
  return isUrl(unit) && isLink(unit) ? `<${escapeMrkdwn(unit)}>` : escapeMrkdwn(unit);
}

export function escapeMrkdwn(text: string): string {
  return text.replaceAll(/[&<>]/g, (character) => (character === '&' ? '&amp;' : character === '<' ? '&lt;' : '&gt;'));
}
