#!/usr/bin/env node
import { runCli } from './program.ts';

// Whoever reads our output may stop reading, as in `tidings dev | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCli(process.argv.slice(2));
