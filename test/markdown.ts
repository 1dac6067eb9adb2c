// Reads the documents for the tests that hold them to the program.
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface CodeBlock {
  language: string;
  code: string;
}

/** The documents' paths from the root of the project. */
export function listDocuments(): string[] {
  const pages = ['docs', 'examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((page) => join(folder, page)),
  );
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...pages.map((page) => page.split(sep).join('/'))].filter(
    (path) => path.endsWith('.md'),
  );
}

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The fenced code blocks, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, code]) => ({ language, code }));
}
