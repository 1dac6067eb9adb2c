import { cloudEventFormat } from './cloud-event.ts';
import { discordFormat } from './discord.ts';
import type { EndpointFormat } from './endpoint-format.ts';
import type { EventFormat } from './event-format.ts';
import { formFormat } from './form.ts';
import { originalFormat } from './original.ts';
import { rawFormat } from './raw.ts';
import { slackFormat } from './slack.ts';
import { teamsFormat } from './teams.ts';
import { telegramFormat } from './telegram.ts';
import { templateFormat } from './template-format.ts';
import { thinFormat } from './thin.ts';
import { xmlFormat } from './xml.ts';

/** What writes events in a format; null = `standard`, which core/envelope.ts writes. `publicUrl` = where the API is, without a slash at its end. */
export function compileFormat(format: EndpointFormat, publicUrl: string | null): EventFormat | null {
  switch (format.name) {
    case 'standard':
      return null;
    case 'raw':
      return rawFormat;
    case 'original':
      return originalFormat(format);
    case 'thin':
      return thinFormat(publicUrl);
    case 'cloudevents':
      return cloudEventFormat(format);
    case 'xml':
      return xmlFormat;
    case 'form':
      return formFormat;
    case 'slack':
      return slackFormat(format);
    case 'discord':
      return discordFormat(format);
    case 'teams':
      return teamsFormat(format);
    case 'telegram':
      return telegramFormat(format);
    case 'template':
      return templateFormat(format);
  }
}
