import { defineConfig } from 'tsdown';

// The benchmark's programs run as plain node processes, so that no loader or transpiler is in what is measured.
export default defineConfig({
  entry: ['**/*.ts', '!**/*.test.ts', '!tsdown.config.ts'],
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outDir: '../dist-bench',
  unbundle: true,
  dts: false,
  sourcemap: true,
  clean: true,
  outExtensions: () => ({ js: '.js' }),
});
