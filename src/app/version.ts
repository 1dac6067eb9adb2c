import { createRequire } from 'node:module';

/** As package.json says. */
export const VERSION: string = createRequire(import.meta.url)('../../package.json').version;
