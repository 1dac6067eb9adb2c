// Tests that start the command line run what is shipped: dist/.
import { fileURLToPath } from 'node:url';
import { buildProduct } from '../scripts/build.mjs';

/** Builds dist/ if need be, once for all test workers, and returns its folder. */
export async function buildOnce(): Promise<string> {
  await buildProduct();
  return fileURLToPath(new URL('../dist', import.meta.url));
}
