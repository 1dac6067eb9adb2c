// An event as an Adaptive Card for the workflow "Post to a channel when a webhook request is received" of Microsoft Teams
// (learn.microsoft.com: "Create incoming webhooks with Workflows", Adaptive Cards schema 1.4).
import { type ChatMessage, type ChatOptions, type ChatOrigin, chatComposer, isLink } from './chat-message.ts';
import { type EventFormat, FormatError, type FormattedBody, jsonBody } from './event-format.ts';
import { fitMarkup, fitText, isUrl } from './fit-text.ts';

/** Teams documents 28 KB a message; some workflows have been seen to refuse from 21 KB on. */
const MAX_BYTES = 20 * 1024;
/** Characters of title, text, and of each field's name and value; the first that make a card small enough. */
const SIZES = [
  { title: 400, text: 8000, label: 100, value: 500 },
  { title: 300, text: 3000, label: 60, value: 250 },
  { title: 200, text: 800, label: 40, value: 80 },
  { title: 100, text: 300, label: 20, value: 40 },
] as const;
type Size = (typeof SIZES)[number];

export function teamsFormat(options: ChatOptions): EventFormat {
  const compose = chatComposer(options, escapeMarkdown);
  return {
    one(event) {
      const message = compose(event);
      let body: FormattedBody | null = null;
      for (const size of SIZES) {
        body = jsonBody(teamsMessage(message, size));
        if (body.body.length <= MAX_BYTES) return body;
      }
      throw new FormatError(
        `The event takes more than ${MAX_BYTES} bytes as a card for Teams, however much is left out.`,
      );
    },
    many: null,
  };
}

function teamsMessage({ title, text, link, fields, more, origin }: ChatMessage, size: Size): unknown {
  const body: unknown[] = [];
  if (title !== null) body.push(textBlock(fitText(title, size.title, write), { size: 'Large', weight: 'Bolder' }));
  if (text !== null) {
    const { value, isMarkup } = text;
    body.push(textBlock(isMarkup ? fitMarkup(value, size.text) : fitText(value, size.text, write)));
  }
  if (fields.length > 0) {
    const facts = fields.map(({ label, value }) => ({
      title: fitText(label, size.label, escapeMarkdown),
      value: fitText(value, size.value, write),
    }));
    body.push({ type: 'FactSet', facts });
  }
  if (more > 0) body.push(subtle(`… and ${more} more ${more === 1 ? 'field' : 'fields'}`));
  if (body.length === 0 && link === null) throw new FormatError('The template makes an empty message for this event.');
  if (origin !== null)
    body.push(subtle(`${escapeMarkdown(origin.type)} · ${time(origin)} · ${escapeMarkdown(origin.id)}`));
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body,
    ...(link !== null && { actions: [{ type: 'Action.OpenUrl', title: 'Open', url: link }] }),
    msteams: { width: 'Full' },
  };
  const attachment = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content };
  return { type: 'message', attachments: [attachment] };
}

function textBlock(text: string, more: object = {}): unknown {
  return { type: 'TextBlock', text, wrap: true, ...more };
}

function subtle(text: string): unknown {
  return textBlock(text, { isSubtle: true, size: 'Small' });
}

/** In the time zone of whoever reads it; the card knows whole seconds. */
function time({ time }: ChatOrigin): string {
  const seconds = `${time.slice(0, 19)}Z`;
  return `{{DATE(${seconds}, SHORT)}} {{TIME(${seconds})}}`;
}

/** A character escaped, a URL as a link. */
function write(unit: string): string {
  if (!isUrl(unit) || !isLink(unit)) return escapeMarkdown(unit);
  return `[${escapeMarkdown(unit)}](${unit.replaceAll('(', '%28').replaceAll(')', '%29').replaceAll('\\', '%5C')})`;
}

/** Of the Markdown that cards have, what stands within a line; a list, which begins one, may stay a list. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_[\]`~#]/g, '\\$&');
}
