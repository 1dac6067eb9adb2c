// An event as a message of Discord's webhooks (discord.com/developers/docs: "Execute Webhook", "Embed Limits").
import { type ChatMessage, type ChatOptions, chatComposer, isLink } from './chat-message.ts';
import { type EventFormat, FormatError, jsonBody } from './event-format.ts';
import { fitMarkup, fitText, isUrl } from './fit-text.ts';

/** Of Discord's documents. `total` is that of title, description, names, values and footer together. */
const LIMITS = { title: 256, description: 4096, total: 6000 } as const;
/** Of 256, 1024 and 2048: so ten fields leave the description room. */
const MAX_NAME = 80;
const MAX_VALUE = 256;
const MAX_FOOTER = 300;
/** Shorter values stand side by side. */
const INLINE_LENGTH = 40;
const MAX_TIME_MS = Date.UTC(2100, 0);

export function discordFormat(options: ChatOptions): EventFormat {
  const compose = chatComposer(options, escapeMarkdown);
  return { one: (event) => jsonBody(discordMessage(compose(event))), many: null };
}

function discordMessage({ title, text, link, fields, more, origin }: ChatMessage): unknown {
  const head = title === null ? '' : fitText(title, LIMITS.title, write);
  const list = fields.map(({ label, value }) => ({
    name: fitText(label, MAX_NAME, escapeMarkdown),
    value: fitText(value, MAX_VALUE, write),
    inline: value.length <= INLINE_LENGTH,
  }));
  const rest = more > 0 ? `… and ${more} more ${more === 1 ? 'field' : 'fields'}` : '';
  const source = origin === null ? '' : `${origin.type} · ${origin.id}`;
  const footer = fitText([rest, source].filter((part) => part !== '').join(' · '), MAX_FOOTER);
  // Without a title there is nothing that could be the link.
  const bareLink = head === '' && link !== null ? `\n${link}` : '';
  const room = Math.min(LIMITS.description, LIMITS.total - lengthOf(head, list, footer)) - bareLink.length;
  const body = text === null ? '' : text.isMarkup ? fitMarkup(text.value, room) : fitText(text.value, room, write);
  const description = (body + bareLink).trim();
  const embed = {
    ...(head !== '' && { title: head }),
    ...(description !== '' && { description }),
    ...(link !== null && head !== '' && { url: link }),
    ...(list.length > 0 && { fields: list }),
    ...(footer !== '' && { footer: { text: footer } }),
    ...(origin !== null && origin.timeMs >= 0 && origin.timeMs < MAX_TIME_MS && { timestamp: origin.time }),
  };
  if (Object.keys(embed).length === 0) throw new FormatError('The template makes an empty message for this event.');
  // Nobody is pinged by what stands in an event's data.
  return { embeds: [embed], allowed_mentions: { parse: [] } };
}

function lengthOf(title: string, fields: readonly { name: string; value: string }[], footer: string): number {
  return fields.reduce((sum, { name, value }) => sum + name.length + value.length, title.length + footer.length);
}

/** A character escaped, a URL as it is: Discord makes a link of it. */
function write(unit: string): string {
  return isUrl(unit) && isLink(unit) ? unit : escapeMarkdown(unit);
}

/** Discord drops a backslash before every punctuation mark. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_~`|>#[\]()<:@-]/g, '\\$&');
}
