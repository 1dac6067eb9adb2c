// The types of the operational events, described as the catalogue describes types: they are the webhooks of Tidings itself.
import type { Schema } from '../schema/schema.ts';
import type { DocumentedType } from './openapi-document.ts';

const APP = { type: 'string', description: "The app's id." };
const ENDPOINT = { app: APP, endpoint: { type: 'string', description: "The endpoint's id." } };
const URL_MEMBER = { url: { type: 'string', description: 'Where it is.' } };
const TIME = { type: 'string', format: 'date-time' };
const LAG = {
  positions: { type: 'integer', minimum: 0, description: 'How many events it is behind, whether they match or not.' },
  oldestSeconds: { type: 'integer', minimum: 0, description: 'The age of the oldest of them.' },
};

interface Row {
  type: string;
  description: string;
  properties: Record<string, object>;
  /** Members that may be absent. */
  optional?: string[];
}

const SOURCE = {
  app: APP,
  source: { type: 'string', description: 'Its id.' },
  run: { type: 'string', description: "The run's id, by which its log has it." },
};
const SOURCE_FAILURE = {
  ...SOURCE,
  reason: { type: 'string', description: "The run's `cause`." },
  detail: { type: 'string', description: 'The same in words.' },
};

const ROWS: Row[] = [
  {
    type: 'endpoint.failing',
    description: 'An endpoint has failed for a minute, or for as long as the server is set to.',
    properties: { ...ENDPOINT, ...URL_MEMBER, since: { ...TIME, description: 'When it began to fail.' } },
  },
  {
    type: 'endpoint.recovered',
    description: 'An endpoint that was told to fail takes events again.',
    properties: { ...ENDPOINT, ...URL_MEMBER, since: { ...TIME, description: 'When it had begun to fail.' } },
  },
  {
    type: 'endpoint.disabled',
    description: 'An endpoint is sent nothing any more: it has answered 410, or failed for too long.',
    properties: { ...ENDPOINT, ...URL_MEMBER, reason: { enum: ['gone', 'unreachable'] } },
  },
  {
    type: 'endpoint.lagging',
    description: 'The oldest event that an endpoint has not been sent is old, or is about to be forgotten.',
    properties: {
      ...ENDPOINT,
      ...URL_MEMBER,
      ...LAG,
      expiresAt: {
        type: ['string', 'null'],
        format: 'date-time',
        description: 'When retention takes events that it has not been sent; null = not soon.',
      },
    },
  },
  {
    type: 'endpoint.expired',
    description: 'Retention has taken events that an endpoint had not been sent.',
    properties: {
      ...ENDPOINT,
      events: { type: 'integer', minimum: 1, description: 'How many.' },
      from: { type: 'integer', minimum: 1, description: 'The position of the first.' },
      to: { type: 'integer', minimum: 1, description: 'The position of the last.' },
    },
  },
  {
    type: 'event.dead',
    description: 'Events were given up for an endpoint, counted by the minute.',
    properties: {
      ...ENDPOINT,
      count: { type: 'integer', minimum: 1 },
      firstEvent: { type: 'string', description: "The first one's id." },
      reason: { type: 'string', description: "Why the first one was given up, as a dead event's `reason` says." },
    },
  },
  {
    type: 'consumer.lagging',
    description: 'The oldest event that a consumer has not committed is old, or is about to be forgotten.',
    properties: {
      app: APP,
      consumer: { type: 'string', description: 'Its name.' },
      ...LAG,
      expiresAt: { ...TIME, description: 'When retention takes events that it has not committed, if that is soon.' },
    },
    optional: ['expiresAt'],
  },
  {
    type: 'source.failing',
    description:
      'A source that is fetched has failed three times in a row, or holds back deletions that look like a mistake.',
    properties: SOURCE_FAILURE,
  },
  {
    type: 'source.recovered',
    description: 'A source that had failed was fetched again.',
    properties: SOURCE,
  },
  {
    type: 'source.disabled',
    description: 'A source has failed for days, and is not fetched any more.',
    properties: SOURCE_FAILURE,
  },
];

export const OPERATIONAL_CATALOGUE: readonly (DocumentedType & { schema: Schema })[] = ROWS.map(
  ({ type, description, properties, optional = [] }) => {
    const required = Object.keys(properties).filter((name) => !optional.includes(name));
    const schema = { type: 'object', properties, required };
    return {
      type,
      description,
      schema,
      version: 1,
      examples: [],
      validation: 'off',
      deprecated: false,
      archived: false,
    };
  },
);
