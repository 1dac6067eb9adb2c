// The demo's receiver as a program of its own, told over Node's IPC channel what to do.
import { answerCalls } from '../child-calls.ts';
import type { DemoEndpoint } from './demo-endpoints.ts';
import { DemoReceiver } from './receiver.ts';

const receiver = new DemoReceiver();

answerCalls({
  answer(name, argument) {
    switch (name) {
      case 'start':
        return receiver.start(argument as DemoEndpoint[]);
      case 'open':
        return receiver.open(argument as string);
      case 'takeReceipts':
        return receiver.takeReceipts();
      default:
        throw new Error(`There is no call ${name}.`);
    }
  },
});
