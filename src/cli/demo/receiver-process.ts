// The demo's receiver as a program of its own, told over Node's IPC channel what to do.
import type { DemoEndpoint } from './demo-endpoints.ts';
import { DemoReceiver } from './receiver.ts';
import type { ReceiverCall } from './receiver-handle.ts';

const receiver = new DemoReceiver();

async function answer({ name, argument }: ReceiverCall): Promise<unknown> {
  switch (name) {
    case 'start':
      return receiver.start(argument as DemoEndpoint[]);
    case 'open':
      return receiver.open(argument as string);
    case 'takeReceipts':
      return receiver.takeReceipts();
  }
}

process.on('message', async (call: ReceiverCall) => {
  const { id } = call;
  const reply = await answer(call).then(
    (value) => ({ id, value }),
    (error: Error) => ({ id, error: error.message }),
  );
  if (process.connected) process.send?.(reply);
});
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group; the demo ends its receiver itself.
process.on('SIGINT', () => {});
