import { defineConfig } from 'tsdown';

// One output file per source file, so that stack traces and CPU profiles name the module they come from.
export default defineConfig({
  entry: ['src/**/*.ts', '!src/**/*.test.ts'],
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  outDir: 'dist',
  unbundle: true,
  dts: false,
  sourcemap: true,
  clean: true,
  copy: [{ from: 'src/storage/migrations', to: 'dist/storage' }],
  outExtensions: () => ({ js: '.js' }),
});
