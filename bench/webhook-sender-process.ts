// The sender of webhooks as a program of its own.
import { answerCalls } from './child-process.ts';
import { WebhookSender, type WebhookSenderOptions } from './webhook-sender.ts';

let sender: WebhookSender | null = null;

const handlers = {
  async connect(options: WebhookSenderOptions) {
    sender = new WebhookSender(options);
    await sender.connect();
  },
  runClosedLoop: (options: { seconds: number }) => sender!.runClosedLoop(options),
  runOpenLoop: (options: { perSecond: number; seconds: number }) => sender!.runOpenLoop(options),
  async close() {
    sender?.close();
  },
};
export type WebhookSenderProcess = typeof handlers;

answerCalls(handlers);
