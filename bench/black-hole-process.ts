// The black hole as a program of its own.
import { BlackHole } from './black-hole.ts';
import { answerCalls } from './child-process.ts';

const blackHole = new BlackHole();

const handlers = {
  listen: () => blackHole.listen(),
  stats: () => blackHole.stats(),
};
export type BlackHoleProcess = typeof handlers;

answerCalls(handlers);
