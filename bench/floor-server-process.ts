// The floor server as a program of its own.
import { answerCalls } from './child-process.ts';
import { type FloorOptions, FloorServer } from './floor-server.ts';

const handlers = {
  listen: (options: FloorOptions) => new FloorServer(options).listen(),
};
export type FloorServerProcess = typeof handlers;

answerCalls(handlers);
