// `npm run check`: everything that is to hold besides the tests. Runs all of it and tells what failed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const CHECKS = [
  {
    name: 'format and lint',
    program: binOf('@biomejs/biome', 'biome'),
    args: ['ci', '--error-on-warnings', '--colors=off'],
  },
  { name: 'types', program: binOf('typescript', 'tsc'), args: ['--noEmit'] },
  { name: 'generated files', program: join(ROOT, 'scripts', 'generate.mjs'), args: ['--check'] },
  { name: 'openapi.json', program: binOf('@redocly/cli', 'redocly'), args: ['lint', 'openapi.json'] },
  { name: 'dead code', program: binOf('knip', 'knip'), args: [] },
];

/** The script behind a package's command, to be run by this Node whatever the PATH. */
function binOf(packageName, command) {
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[command]);
}

const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
const failed = [];
for (const { name, program, args } of CHECKS) {
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, env });
  process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${Math.round(performance.now() - begin)} ms)\n`);
  if (status === 0) continue;
  failed.push(name);
  process.stdout.write(`${stdout}${stderr}\n`);
}
if (failed.length > 0) {
  process.stdout.write(`Failed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
