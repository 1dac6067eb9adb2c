// The server that is measured, in a process of its own.
import { answerCalls } from '../child-calls.ts';
import type { DemoServer } from '../demo/demo.ts';
import { startTemporaryServer } from '../temporary-server.ts';

let starting: Promise<DemoServer> | null = null;

answerCalls({
  async answer(name) {
    if (name === 'cpuMicros') {
      const { user, system } = process.cpuUsage();
      return user + system;
    }
    starting ??= startTemporaryServer('compare');
    const { url, apiKey } = await starting;
    return { url, apiKey };
  },
  end: async () => (await starting)?.stop(),
});
