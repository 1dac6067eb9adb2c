// Documents that come in as JSON or YAML.
import { TidingsError } from '../core/errors.ts';
import { checkJson } from '../core/json-scan.ts';
import { parseYaml } from './yaml-thread.ts';

export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_DEPTH = 128;
const MAX_VALUES = 500_000;

/** The value of a document: what JSON can say. @throws TidingsError `invalid_json`, `invalid_request` */
export async function readDocument(body: Buffer, options: { isYaml: boolean }): Promise<unknown> {
  if (!options.isYaml) {
    checkJson(body);
    return JSON.parse(body.toString('utf8'));
  }
  try {
    const value = await parseYaml(body.toString('utf8'));
    refuseOther(value);
    return value;
  } catch (error) {
    const { message } = error as Error;
    throw new TidingsError(
      'invalid_request',
      `The body is not YAML that can be read: ${message.replace(/[.:]?$/, '.')}`,
    );
  }
}

/** Refuses what JSON has no words for, and what has no end. */
function refuseOther(root: unknown): void {
  const stack: [value: unknown, depth: number][] = [[root, 0]];
  let values = 0;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [value, depth] = next;
    if (++values > MAX_VALUES || depth > MAX_DEPTH) throw new Error('it is too large, or nested too deeply');
    if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('it has a number that JSON cannot have');
    if (typeof value !== 'object' || value === null) continue;
    for (const child of Object.values(value)) stack.push([child, depth + 1]);
  }
}
