import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileEngine } from '../src/transform/engine.ts';

/** The JavaScript engine of the sandboxes, as the pool gives it to its threads. */
export const ENGINE_PROGRAM = compileEngine(
  readFileSync(createRequire(import.meta.url).resolve('@jitl/quickjs-ng-wasmfile-release-sync/wasm')),
);
