// An event as a call of sendMessage of Telegram's Bot API (core.telegram.org/bots/api: "sendMessage", "HTML style"). The endpoint's URL is
// https://api.telegram.org/bot<token>/sendMessage.
import { type ChatMessage, type ChatOptions, type ChatOrigin, chatComposer } from './chat-message.ts';
import { type EventFormat, FormatError, jsonBody } from './event-format.ts';
import { fitText } from './fit-text.ts';

export interface TelegramOptions extends ChatOptions {
  /** A chat's number, or `@channel`. */
  chatId: string | number;
  /** The topic of a forum. */
  threadId?: number;
  /** Whether it arrives without a sound. */
  silent?: boolean;
}

/** Of a text; Telegram counts without tags, so what is counted here with them fits. */
const MAX_TEXT = 4096;
const MAX_TITLE = 256;
const MAX_LABEL = 60;
const MAX_VALUE = 160;
const MAX_ORIGIN = 300;

export function telegramFormat({ chatId, threadId, silent, ...options }: TelegramOptions): EventFormat {
  const compose = chatComposer(options, escapeHtml);
  return {
    one: (event) =>
      jsonBody({
        chat_id: chatId,
        ...(threadId !== undefined && { message_thread_id: threadId }),
        text: messageText(compose(event)),
        parse_mode: 'HTML',
        link_preview_options: { is_disabled: true },
        ...(silent === true && { disable_notification: true }),
      }),
    many: null,
  };
}

function messageText({ title, text, link, fields, more, origin }: ChatMessage): string {
  const above = title === null ? '' : `<b>${fitText(title, MAX_TITLE, escapeHtml)}</b>`;
  const lines = fields.map(
    ({ label, value }) => `<b>${fitText(label, MAX_LABEL, escapeHtml)}:</b> ${fitText(value, MAX_VALUE, escapeHtml)}`,
  );
  if (more > 0) lines.push(`… and ${more} more ${more === 1 ? 'field' : 'fields'}`);
  const below = [
    lines.join('\n'),
    link === null ? '' : linkTo(link),
    origin === null ? '' : `<i>${fitText(originLine(origin), MAX_ORIGIN, escapeHtml)}</i>`,
  ];
  const parts = (body: string): string => [above, body, ...below].filter((part) => part !== '').join('\n\n');
  const around = parts('').length + 2 * '\n\n'.length;
  // A link's address is no part of the text, and may be longer than all of it.
  const room = MAX_TEXT - around + (link === null ? 0 : linkTo(link).length - 'Open'.length);
  const body = text === null ? '' : text.isMarkup ? fitHtml(text.value, room) : fitText(text.value, room, escapeHtml);
  const whole = parts(body);
  if (whole === '') throw new FormatError('The template makes an empty message for this event.');
  return whole;
}

function originLine({ type, time, id }: ChatOrigin): string {
  return `${type} · ${time.slice(0, 19).replace('T', ' ')} UTC · ${id}`;
}

function linkTo(url: string): string {
  return `<a href="${escapeHtml(url)}">Open</a>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ESCAPES[character]);
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const TOKENS = /<(\/?)([a-z][a-z0-9-]*)[^<>]*>|&(?:[a-z]+|#\d+|#x[0-9a-f]+);|[\s\S]/giu;

/** As much of HTML as fits, with `…` where something was left out and every tag closed that was opened: Telegram refuses others. */
function fitHtml(html: string, max: number): string {
  if (html.length <= max) return html.toWellFormed();
  const open: string[] = [];
  let out = '';
  let closing = 0;
  for (const [token, slash, tag] of html.toWellFormed().matchAll(TOKENS)) {
    const change =
      tag === undefined ? 0 : slash === '/' ? -closingTag(open.at(-1) ?? '').length : closingTag(tag).length;
    if (out.length + token.length + closing + change + 1 > max) break;
    out += token;
    closing += change;
    if (tag !== undefined && slash === '/') open.pop();
    else if (tag !== undefined) open.push(tag);
  }
  return `${out}…${open.reverse().map(closingTag).join('')}`;
}

function closingTag(tag: string): string {
  return tag === '' ? '' : `</${tag}>`;
}
