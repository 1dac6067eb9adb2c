// The load generator as a program of its own.
import { answerCalls } from './child-process.ts';
import { LoadGenerator, type LoadOptions } from './load-generator.ts';

let generator: LoadGenerator | null = null;

const handlers = {
  async connect(options: LoadOptions) {
    generator = new LoadGenerator(options);
    await generator.connect();
  },
  runClosedLoop: (options: { seconds: number }) => withCpu(() => generator!.runClosedLoop(options)),
  runRequests: (options: { requests: number }) => withCpu(() => generator!.runRequests(options)),
  runOpenLoop: (options: { perSecond: number; seconds: number; seed?: number; recordsAcks?: boolean }) =>
    withCpu(() => generator!.runOpenLoop(options)),
};
export type LoadGeneratorProcess = typeof handlers;

async function withCpu<T extends object>(run: () => Promise<T>): Promise<T & { cpuMicros: number }> {
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return { ...result, cpuMicros: user + system };
}

answerCalls(handlers);
