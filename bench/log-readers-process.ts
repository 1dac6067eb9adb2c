// Readers of the log as a program of its own.
import { answerCalls } from './child-process.ts';
import { LogReaders, type ReadersOptions } from './log-readers.ts';

let readers: LogReaders | null = null;

const handlers = {
  async connect(options: ReadersOptions) {
    readers?.close();
    readers = new LogReaders(options);
    await readers.connect();
  },
  readPages: (options: { seconds: number; limit: number }) => readers!.readPages(options),
  startWaiting: () => readers!.startWaiting(),
  takeWakes: () => readers!.takeWakes(),
  close: () => readers?.close(),
};
export type LogReadersProcess = typeof handlers;

answerCalls(handlers);
