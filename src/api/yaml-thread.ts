// YAML is read in a thread of its own: it takes half a second for a megabyte, and a text that was made to take long could take longer, which
// nobody else is to wait for. The thread ends with the text.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

const TIMEOUT_MS = 20_000;
const MAX_HEAP_MB = 512;

const PROGRAM = `
const { parentPort, workerData } = require('node:worker_threads');
const { parseDocument } = require(workerData.module);
try {
  const document = parseDocument(workerData.text, { merge: true, stringKeys: true });
  if (document.errors.length > 0) throw document.errors[0];
  parentPort.postMessage({ value: document.toJS({ maxAliasCount: 100 }) });
} catch (error) {
  parentPort.postMessage({ problem: error instanceof RangeError ? 'it is nested too deeply' : error.message.split('\\n')[0] });
}`;

type Answer = { value: unknown } | { problem: string };

/** The value of a YAML document; what an alias stands for may come again and again, even within itself. @throws Error that says what is wrong with it */
export function parseYaml(text: string): Promise<unknown> {
  const module = createRequire(import.meta.url).resolve('yaml');
  const worker = new Worker(PROGRAM, {
    eval: true,
    workerData: { module, text },
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  return new Promise<unknown>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('it takes too long')), TIMEOUT_MS);
    worker.on('message', (answer: Answer) => {
      if ('problem' in answer) reject(new Error(answer.problem));
      else resolve(answer.value);
    });
    worker.on('error', () => reject(new Error('it is too large')));
    worker.on('exit', () => {
      clearTimeout(timer);
      reject(new Error('it could not be read to its end'));
    });
  }).finally(() => worker.terminate());
}
