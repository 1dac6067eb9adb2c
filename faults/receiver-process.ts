// The receiver as a program of its own, so that nothing that happens to the suite's own process changes what was received.
import { answerCalls } from '../bench/child-process.ts';
import { type Behaviour, Receiver } from './receiver.ts';

const receiver = new Receiver();

const handlers = {
  listen: () => receiver.listen(),
  shut: () => receiver.shut(),
  behave: ({ endpoints, behaviour }: { endpoints: string[]; behaviour: Behaviour }) =>
    receiver.behave(endpoints, behaviour),
  expect: ({ endpoint, secret }: { endpoint: string; secret: string }) => receiver.expect(endpoint, secret),
  take: () => receiver.take(),
};
export type ReceiverProcess = typeof handlers;

answerCalls(handlers);
