import { defineConfig } from 'tsdown';

// The suite's programs run as plain node processes. What they share with the product and the benchmark lies beside them in dist-faults/.
export default defineConfig({
  entry: ['**/*.ts', '!**/*.test.ts', '!tsdown.config.ts'],
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outDir: '../dist-faults',
  unbundle: true,
  dts: false,
  sourcemap: true,
  clean: true,
  outExtensions: () => ({ js: '.js' }),
});
