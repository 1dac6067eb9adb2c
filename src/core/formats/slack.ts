// An event as a message of Slack's incoming webhooks (docs.slack.dev: Block Kit reference, "Formatting message text").
import { type ChatField, type ChatMessage, chatMessage, isLink } from './chat-message.ts';
import { type EventFormat, jsonBody } from './event-format.ts';
import { fitText } from './fit-text.ts';

/** Of Slack's reference, in its characters. */
const LIMITS = { header: 150, sectionText: 3000, fields: 10, fieldText: 2000, contextText: 3000 } as const;
/** Half of a field is enough for its name. */
const MAX_LABEL = 200;

export function slackFormat(): EventFormat {
  return { one: (event) => jsonBody(slackMessage(chatMessage(event))), many: null };
}

function slackMessage(message: ChatMessage): { text: string; blocks: unknown[] } {
  const { title, text, link, fields, more } = message;
  const blocks: unknown[] = [
    { type: 'header', text: { type: 'plain_text', text: fitText(title, LIMITS.header), emoji: false } },
  ];
  if (text !== null) blocks.push({ type: 'section', text: mrkdwn(fitText(text, LIMITS.sectionText, escapeText)) });
  if (fields.length > 0) blocks.push({ type: 'section', fields: fields.slice(0, LIMITS.fields).map(field) });
  if (more > 0) blocks.push(context(`… and ${more} more ${more === 1 ? 'field' : 'fields'}`));
  if (link !== null) blocks.push({ type: 'section', text: mrkdwn(linkTo(link)) });
  blocks.push(context(`${escapeText(message.type)} · ${time(message)} · ${escapeText(message.id)}`));
  return { text: fitText(text === null ? title : `${title}: ${text}`, LIMITS.sectionText, escapeText), blocks };
}

function field({ label, value }: ChatField): unknown {
  const name = `*${fitText(label, MAX_LABEL, escapeText)}*\n`;
  const room = LIMITS.fieldText - name.length;
  const link = isLink(value) ? linkTo(value) : null;
  return mrkdwn(name + (link !== null && link.length <= room ? link : fitText(value, room, escapeText)));
}

function context(text: string): unknown {
  return { type: 'context', elements: [mrkdwn(fitText(text, LIMITS.contextText))] };
}

/** Verbatim: what stands in an event's data pings nobody and links to no channel. */
function mrkdwn(text: string): unknown {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** In the time zone of whoever reads it. Slack knows seconds since 1970. */
function time({ timeMs, time }: ChatMessage): string {
  return timeMs < 0 ? time : `<!date^${Math.floor(timeMs / 1000)}^{date_short_pretty} {time}|${time}>`;
}

function linkTo(url: string): string {
  return `<${escapeText(url)}>`;
}

function escapeText(text: string): string {
  return text.replaceAll(/[&<>]/g, (character) => (character === '&' ? '&amp;' : character === '<' ? '&lt;' : '&gt;'));
}
