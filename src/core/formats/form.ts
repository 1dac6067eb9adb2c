// An event as the fields of a form: `id`, `type`, `timestamp`, and `data` with a field for each value in it, named by its path in brackets as
// forms of PHP, Rails and Express name theirs: data[customer][name]=Acme&data[lines][0][sku]=x. Numbers keep their digits.
import { formatTime } from '../time.ts';
import { BodyText } from './body-text.ts';
import type { EventFormat } from './event-format.ts';
import { ExactNumber, type ExactValue, parseExact } from './exact-json.ts';
import { escapeForm } from './output-escape.ts';

export const formFormat: EventFormat = {
  one(event) {
    const text = new BodyText();
    text.add(`id=${event.id}&type=${event.type}&timestamp=${escapeForm(formatTime(event.timeMs))}`);
    addFields(text, 'data', parseExact(event.data));
    return { body: text.toBuffer(), contentType: 'application/x-www-form-urlencoded' };
  },
  many: null,
};

/** null and what is empty is an empty field: a form knows no difference. */
function addFields(text: BodyText, name: string, value: ExactValue): void {
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) {
    text.add(`&${name}=${value === null ? '' : escapeForm(String(value))}`);
    return;
  }
  const members = Object.entries(value);
  if (members.length === 0) text.add(`&${name}=`);
  for (const [key, member] of members) addFields(text, `${name}%5B${escapeForm(key)}%5D`, member);
}
