// The format of an endpoint as the API shows and takes it. What its options may be is core/formats/endpoint-format.ts.
import { z } from 'zod';
import { CLOUD_EVENT_MODES } from '../core/formats/cloud-event.ts';

const PLAIN = ['standard', 'raw', 'thin', 'xml', 'form'] as const;

const original = {
  name: z.literal('original'),
  headers: z
    .array(z.string())
    .optional()
    .describe('Which of the headers that were received go out again; all that were kept, if absent.'),
};
const cloudevents = {
  name: z.literal('cloudevents'),
  mode: z
    .enum(CLOUD_EVENT_MODES)
    .describe(
      '`structured` (default): one JSON object with attributes and data. `binary`: the data as the body, attributes as `ce-` headers. `batch`: an array of objects.',
    ),
  source: z.string().optional().describe('A URI reference. Default: `urn:tidings:app:{app}`.'),
  attributes: z
    .record(z.string(), z.string())
    .optional()
    .describe('Further attributes, the same for every event: `subject`, `dataschema`, and extensions.'),
  handshake: z
    .object({ origin: z.string().describe('The DNS name that this sender goes by.') })
    .optional()
    .describe(
      'The URL is asked by OPTIONS with WebHook-Request-Origin whether it agrees, before the endpoint is stored or given another URL, origin or rate (HTTP 1.1 Web Hooks for Event Delivery 1.0.2). Default: it is not.',
    ),
};
const chat = {
  title: z.string().optional().describe('A template (Liquid) of one line.'),
  template: z
    .string()
    .optional()
    .describe(
      "A template (Liquid) of the text, in the chat's own markup. With it, title, link and fields are only those that are given.",
    ),
  link: z.string().optional().describe('A template (Liquid) of a URL.'),
  fields: z.array(z.string()).optional().describe('Up to 10 members of data, such as `customer.name`.'),
};
const telegram = {
  chatId: z.union([z.string(), z.int()]).describe("A chat's number, or `@channel`."),
  threadId: z.int().optional().describe('The topic of a forum.'),
  silent: z.boolean().optional().describe('Whether it arrives without a sound.'),
};
const template = {
  name: z.literal('template'),
  body: z.string().describe('A template (Liquid) of the whole body.'),
  contentType: z.string().describe('Of the body; it says how what comes from the event is escaped.'),
};

const DESCRIPTION =
  "What the endpoint's requests look like. `standard`: type, timestamp and data as Standard Webhooks say. `raw`: the data alone. `original`: what a source received, as it came. `thin`: type, id and a URL to fetch the event from. `cloudevents`, `xml`, `form`; `slack`, `discord`, `teams`, `telegram`: a message; `template`: a body of your own.";

export const FormatSchema = z
  .discriminatedUnion('name', [
    z.object({ name: z.enum(PLAIN) }),
    z.object(original),
    z.object(cloudevents),
    z.object({ name: z.enum(['slack', 'discord', 'teams']), ...chat }),
    z.object({ name: z.literal('telegram'), ...chat, ...telegram }),
    z.object(template),
  ])
  .meta({ id: 'EndpointFormat', description: DESCRIPTION });

/** As it is documented. It is taken loosely, for core/formats/endpoint-format.ts says better what is wrong. */
const DocumentedInput = z.union([
  z.enum([...PLAIN, 'original', 'cloudevents', 'slack', 'discord', 'teams']),
  z.strictObject({ name: z.enum(PLAIN) }),
  z.strictObject(original),
  z.strictObject({ ...cloudevents, mode: cloudevents.mode.optional() }),
  z.strictObject({ name: z.enum(['slack', 'discord', 'teams']), ...chat }),
  z.strictObject({ name: z.literal('telegram'), ...chat, ...telegram }),
  z.strictObject(template),
]);

export const FormatInputSchema = z.union([z.string(), z.looseObject({ name: z.string() })]).meta({
  id: 'NewEndpointFormat',
  description: `${DESCRIPTION} By name alone, or as an object with options; null or absent = \`standard\`.`,
  anyOf: z.toJSONSchema(DocumentedInput, { io: 'input' }).anyOf,
});
