// The consumer as a program of its own, whatever its kind, so that it takes nothing from the server that is measured.
import { answerCalls } from '../child-calls.ts';
import type { Arrival, Consumer } from './consumer.ts';
import type { ConsumerStart } from './consumer-handle.ts';
import { createConsumer } from './create-consumer.ts';
import { TrafficMeter } from './traffic-meter.ts';
import { WebhookReceiver } from './webhook-receiver.ts';

let meter = new TrafficMeter();
let consumer: Consumer | null = null;
let arrivals: Arrival[] = [];

async function start({ via, ...parts }: ConsumerStart): Promise<string | null> {
  await consumer?.interrupt();
  meter = new TrafficMeter();
  arrivals = [];
  const received = (id: string): void => void arrivals.push({ id, atMs: Number(process.hrtime.bigint()) / 1e6 });
  consumer = createConsumer(via, { ...parts, meter, received });
  await consumer.resume();
  return consumer instanceof WebhookReceiver ? consumer.url : null;
}

answerCalls({
  answer(name, argument) {
    switch (name) {
      case 'start':
        return start(argument as ConsumerStart);
      case 'interrupt':
        return consumer?.interrupt();
      case 'resume':
        return consumer?.resume();
      case 'takeArrivals':
        return arrivals.splice(0);
      case 'traffic':
        return meter.read();
      default:
        throw new Error(`There is no call ${name}.`);
    }
  },
});
