// Writes what is generated and committed: openapi.json and the reference pages. With --check it writes nothing, names the
// files that are out of date, and fails.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildProduct } from './build.mjs';
import { configReference } from './config-reference.mjs';
import { errorReference } from './error-reference.mjs';
import { providerReference } from './provider-reference.mjs';

await buildProduct();
const { buildOpenApi } = await import('../dist/api/server.js');
const { formatValue, OPTIONS } = await import('../dist/app/config.js');
const { VERSION } = await import('../dist/app/version.js');
const { ERRORS } = await import('../dist/core/errors.js');
const { COMMON_OPTIONS } = await import('../dist/inbound/configure-provider.js');
const { summarizeProvider } = await import('../dist/inbound/provider-summary.js');
const { PROVIDERS } = await import('../dist/inbound/provider-table.js');

const files = {
  'openapi.json': `${JSON.stringify(await buildOpenApi(VERSION), null, 2)}\n`,
  'docs/reference/config.md': configReference(OPTIONS, formatValue),
  'docs/reference/errors.md': errorReference(ERRORS),
  'docs/reference/providers.md': providerReference(PROVIDERS.map(summarizeProvider), COMMON_OPTIONS),
};

for (const [name, text] of Object.entries(files)) {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  if ((await readFile(path, 'utf8').catch(() => null)) === text) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${name} is out of date. Run: npm run generate\n`);
    process.exitCode = 1;
  } else {
    await writeFile(path, text);
    process.stdout.write(`wrote ${name}\n`);
  }
}
