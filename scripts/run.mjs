// `npm start`, `npm run demo`, `npm run bench` and `npm run faults`: builds what is out of date and runs it in this very process, so that
// arguments, signals and the exit code need no passing on. (In package.json `exec` takes the shell out of the way too: Debian's
// does not pass signals on.) node scripts/run.mjs <command> [options]
import { buildBench, buildFaults, buildProduct } from './build.mjs';

try {
  await buildProduct();
  if (process.argv[2] === 'bench') {
    await buildBench();
    process.argv.splice(2, 1);
    await import('../dist-bench/main.js');
  } else if (process.argv[2] === 'faults') {
    await buildFaults();
    process.argv.splice(2, 1);
    await import('../dist-faults/main.js');
  } else {
    await import('../dist/cli/main.js');
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
