import type { ComparedKind } from './compared-kind.ts';
import type { Consumer, ConsumerParts } from './consumer.ts';
import { LogPoller } from './log-poller.ts';
import { SseReader } from './sse-reader.ts';
import { WebSocketReader } from './web-socket-reader.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

export function createConsumer(via: ComparedKind['via'], parts: ConsumerParts): Consumer {
  switch (via) {
    case 'poll':
    case 'wait':
      return new LogPoller(parts);
    case 'sse':
      return new SseReader(parts);
    case 'websocket':
      return new WebSocketReader(parts);
    case 'webhook':
      return new WebhookReceiver(parts);
    case 'nothing':
      return { resume: async () => {}, interrupt: async () => {} };
  }
}
