// Lists in the documents that must agree with the program.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatValue, OPTIONS, optionOf } from '../src/app/config.ts';
import { ERRORS } from '../src/core/errors.ts';
import { COMMON_OPTIONS } from '../src/inbound/configure-provider.ts';
import { summarizeProvider } from '../src/inbound/provider-summary.ts';
import { PROVIDERS } from '../src/inbound/provider-table.ts';
import { codeBlocks, listDocuments, readDocument } from './markdown.ts';

const PACKAGE = JSON.parse(readDocument('package.json')) as Record<
  'scripts' | 'dependencies' | 'devDependencies',
  object
>;

/** The text of a document's section, from its heading to the next of the same level. */
function section(path: string, heading: string): string {
  const [, text] = readDocument(path).split(`\n${heading}\n`);
  const level = heading.split(' ')[0];
  return (text ?? '').split(`\n${level} `)[0];
}

describe('documents', () => {
  test.each(listDocuments())('%s links to files that exist', (path) => {
    const links = [...readDocument(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target]) => target);
    const local = links.filter((target) => !/^\w+:/.test(target));
    expect(local.filter((target) => !existsSync(join(dirname(path), target)))).toEqual([]);
  });

  test.each(listDocuments())('%s names npm scripts that exist', (path) => {
    const named = [...readDocument(path).matchAll(/npm (?:run )?(?:-s )?(\w+)/g)].map(([, name]) => name);
    const known = [...Object.keys(PACKAGE.scripts), 'install', 'runs'];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
  });

  test('say of each option what the table says', () => {
    for (const { key } of OPTIONS) {
      const option = optionOf(key);
      const text = section('docs/reference/config.md', `## ${key}`);
      expect(text, key).toContain(option.doc);
      expect(text, key).toContain(`\`${option.env}\``);
      expect(text, key).toContain(`Default: ${formatValue(option, option.default)}\n`);
      if (option.flag !== null) expect(text, key).toContain(`\`${option.flag}\``);
    }
    expect(readDocument('docs/reference/config.md').match(/^## /gm)).toHaveLength(OPTIONS.length);
  });

  test('list every error and no other', () => {
    const rows = [...readDocument('docs/reference/errors.md').matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \|$/gm)];
    const listed = rows.map(([, code, status, title]) => [code, { status: Number(status), title }]);
    expect(Object.fromEntries(listed)).toEqual(ERRORS);
  });

  test('say of each provider what its row says', () => {
    const page = readDocument('docs/reference/providers.md');
    expect([...page.matchAll(/^<a id="(.+)"><\/a>$/gm)].map(([, id]) => id)).toEqual(PROVIDERS.map(({ id }) => id));
    for (const provider of PROVIDERS) {
      const { id, name, evidence, checked, docs, verifies, secret, handshakes } = summarizeProvider(provider);
      const [text] = page.split(`<a id="${id}"></a>\n\n## ${name}\n`)[1].split('\n<a id=');
      const said = [`Checked: ${evidence}. ${checked}`, `Documentation: <${docs}>`, `Secret: ${secret}`, ...verifies];
      for (const words of [...said, ...handshakes.map((handshake) => handshake.words)]) {
        expect(text, id).toContain(words);
      }
    }
    for (const [name, { doc }] of Object.entries(COMMON_OPTIONS)) expect(page).toContain(`| \`${name}\` | ${doc} |`);
  });

  test('give a reason for every dependency', () => {
    const rowsOf = (heading: string): string[] =>
      section('docs/design/dependencies.md', heading)
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .flatMap((line) => [...line.split('|')[1].matchAll(/`([^`]+)`/g)].map(([, name]) => name));
    expect(rowsOf('## At run time').sort()).toEqual(Object.keys(PACKAGE.dependencies).sort());
    expect(rowsOf('## For development').sort()).toEqual(Object.keys(PACKAGE.devDependencies).sort());
  });

  test('begin the changes with what is unreleased', () => {
    expect(readDocument('CHANGELOG.md').match(/^## .+$/m)?.[0]).toBe('## [Unreleased]');
  });

  test('verify in the README as in the guide, which is run', () => {
    const receiver = codeBlocks(readDocument('docs/guide/getting-started.md')).find(
      ({ language }) => language === 'js',
    )!;
    const lines = codeBlocks(readDocument('README.md'))
      .find(({ language }) => language === 'js')!
      .code.trim()
      .split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(receiver.code).toContain(line);
  });
});
