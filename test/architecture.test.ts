// The rule of rooms (docs/design): an import points left or into its own folder, types included, and there is no cycle.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SRC = join(ROOT, 'src');

/** From left to right; rooms that share a place never import each other. */
const ORDER: Record<string, number> = {
  core: 0,
  net: 1,
  storage: 1,
  log: 2,
  transform: 3,
  push: 4,
  pull: 4,
  inbound: 4,
  api: 5,
  app: 6,
  cli: 7,
};
const PURE_NODE_MODULES = ['node:crypto', 'node:buffer'];
const IMPURE_NAMES = /^(randomBytes|randomInt|randomUUID|randomFill|randomFillSync|getRandomValues|generateKey.*)$/;
const VAGUE_NAMES = /(^|\/)(utils?|types?|common|helpers?|misc|shared|interfaces?)(\.test)?\.ts$/;

interface Source {
  /** Relative to src/, with slashes. */
  path: string;
  tree: ts.SourceFile;
}

interface Import {
  specifier: string;
  /** What it names; empty for `import './x.ts'` and `import * as`. */
  names: string[];
}

function parse(path: string, text: string): Source {
  return { path, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

function readSources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => parse(name.split(sep).join('/'), readFileSync(join(SRC, name), 'utf8')));
}

function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Imports, re-exports, `import()` and types written as `import('…').X`. */
function importsOf({ tree }: Source): Import[] {
  const imports: Import[] = [];
  const add = (node: ts.Node | undefined, names: string[] = []): void => {
    if (node && ts.isStringLiteralLike(node)) imports.push({ specifier: node.text, names });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings;
      const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
      add(
        node.moduleSpecifier,
        [...named].map((element) => (element.propertyName ?? element.name).text),
      );
    } else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0]);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
  });
  return imports;
}

/** The imported file relative to src/; null for a package. */
function targetOf(source: Source, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return relative(SRC, resolve(SRC, dirname(source.path), specifier))
    .split(sep)
    .join('/');
}

function roomOf(path: string): string {
  return path.split('/')[0];
}

/** Imports that point to the right, to a neighbour, out of src/ or to a test. */
function misdirected(sources: Source[]): string[] {
  const wrong: string[] = [];
  for (const source of sources) {
    for (const { specifier } of importsOf(source)) {
      const target = targetOf(source, specifier);
      if (target === null) continue;
      const words = `${source.path} → ${target}`;
      if (isTest(target)) wrong.push(`${words} (a test)`);
      if (isTest(source.path)) continue;
      const [from, to] = [roomOf(source.path), roomOf(target)];
      if (from !== to && !(ORDER[to] < ORDER[from])) wrong.push(words);
    }
  }
  return wrong;
}

/** One file cycle as `a → b → a`, or null. */
function findCycle(sources: Source[]): string | null {
  const graph = new Map(
    sources.map((source) => [
      source.path,
      importsOf(source).flatMap(({ specifier }) => targetOf(source, specifier) ?? []),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): string | null => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path].join(' → ');
    if (done.has(path)) return null;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle !== null) return cycle;
    }
    done.add(path);
    return null;
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

const SQL = [
  /^\s*(BEGIN|COMMIT|ROLLBACK)\s*(;|$)/,
  /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|BEGIN|LISTEN|NOTIFY|SET|LOCK|COPY)\s+[\w"$(*]/,
  /\binsert\s+into\s+\w+\s*\(/i,
  /\bupdate\s+\w+\s+set\s+\w+\s*=/i,
  /\bdelete\s+from\s+\w+\s+where\b/i,
  /\bselect\b.+\bfrom\s+\w+\s+(where|order\s+by|limit|join|for\s+update)\b/is,
];

function isSql(text: string): boolean {
  return SQL.some((pattern) => pattern.test(text));
}

function textsOf({ tree }: Source): string[] {
  const texts: string[] = [];
  walk(tree, (node) => {
    if (ts.isStringLiteralLike(node)) texts.push(node.text);
    else if (ts.isTemplateExpression(node)) {
      texts.push([node.head.text, ...node.templateSpans.map((span) => span.literal.text)].join(' x '));
    }
  });
  return texts;
}

/** `a.b` as it is written, and every `new Date()` without a time, as `new Date()`. */
function usesOf({ tree }: Source): string[] {
  const uses: string[] = [];
  walk(tree, (node) => {
    if (ts.isPropertyAccessExpression(node)) uses.push(node.getText(tree));
    else if (ts.isNewExpression(node) && node.expression.getText(tree) === 'Date' && !node.arguments?.length) {
      uses.push('new Date()');
    }
  });
  return uses;
}

/** What makes a file of core/ depend on more than its arguments. */
function impurities(source: Source): string[] {
  const wrong: string[] = [];
  for (const { specifier, names } of importsOf(source)) {
    if (specifier.startsWith('node:') && !PURE_NODE_MODULES.includes(specifier)) wrong.push(specifier);
    if (specifier === 'node:crypto') wrong.push(...names.filter((name) => IMPURE_NAMES.test(name)));
  }
  const forbidden =
    /^(Date\.now|Math\.random|performance\.now|process\..+|crypto\.(random|getRandom|generate).+|new Date\(\))$/;
  wrong.push(...usesOf(source).filter((use) => forbidden.test(use)));
  return wrong.map((what) => `${source.path}: ${what}`);
}

const sources = readSources();
const shipped = sources.filter(({ path }) => !isTest(path));

describe('architecture', () => {
  test('has every file in a room', () => {
    expect(sources.filter(({ path }) => !(roomOf(path) in ORDER)).map(({ path }) => path)).toEqual([]);
    expect(shipped.length).toBeGreaterThan(20);
  });

  test('has imports that point left or stay, and never at a test', () => {
    expect(misdirected(sources)).toEqual([]);
  });

  test('has no cycle between files', () => {
    expect(findCycle(shipped)).toBeNull();
  });

  test('reads the environment in config.ts only', () => {
    const readers = shipped.filter((source) => usesOf(source).some((use) => /^process\.env\b/.test(use)));
    expect(readers.map(({ path }) => path)).toEqual(['app/config.ts']);
  });

  test('has SQL in storage/ only', () => {
    const elsewhere = shipped.filter(({ path }) => roomOf(path) !== 'storage');
    const found = elsewhere.flatMap((source) =>
      textsOf(source)
        .filter(isSql)
        .map((text) => `${source.path}: ${text}`),
    );
    expect(found).toEqual([]);
    const drivers = elsewhere.filter((source) => importsOf(source).some(({ specifier }) => specifier === 'pg'));
    expect(drivers.map(({ path }) => path)).toEqual([]);
  });

  test('has a pure core', () => {
    expect(shipped.filter(({ path }) => roomOf(path) === 'core').flatMap(impurities)).toEqual([]);
  });

  test('names files after what is in them', () => {
    expect(sources.map(({ path }) => path).filter((path) => VAGUE_NAMES.test(path))).toEqual([]);
  });
});

describe('architecture rules', () => {
  test('find an import to the right, to a neighbour and to a test', () => {
    const bad = [
      parse('core/a.ts', "import type { B } from '../storage/b.ts';"),
      parse('push/a.ts', "export * from '../pull/b.ts';"),
      parse('log/a.ts', "const b = await import('../api/b.ts');"),
      parse('log/b.ts', "type B = import('../app/b.ts').B;"),
      parse('api/a.ts', "import './b.test.ts';"),
      parse('core/c.ts', "import '../../test/x.ts';"),
    ];
    expect(misdirected(bad).map((line) => line.split(' ')[0])).toEqual(bad.map(({ path }) => path));
    const good = [
      parse('cli/a.ts', "import '../core/b.ts'; import './c.ts'; import 'pg';"),
      parse('core/a.test.ts', "import '../api/b.ts';"),
    ];
    expect(misdirected(good)).toEqual([]);
  });

  test('find a cycle', () => {
    const files = [parse('core/a.ts', "import './b.ts';"), parse('core/b.ts', "import type { A } from './a.ts';")];
    expect(findCycle(files)).toBe('core/a.ts → core/b.ts → core/a.ts');
    expect(findCycle(files.slice(0, 1))).toBeNull();
  });

  test('tell SQL from words', () => {
    const statements = [
      'SELECT 1',
      'BEGIN',
      '\n  WITH x AS (VALUES (1)) TABLE x',
      'insert into apps (id) values ($1)',
      'update heads set position = 1',
      'delete from x where y',
      'select a\nfrom b\nwhere c',
    ];
    expect(statements.filter((text) => !isSql(text))).toEqual([]);
    const words = ['Select an app from the list', 'Settings', 'DELETE /v1/apps', 'DELETE', 'Set it', 'COPYING'];
    expect(words.filter(isSql)).toEqual([]);
  });

  test('find what is not pure', () => {
    const source = parse(
      'core/a.ts',
      "import { randomBytes, createHmac } from 'node:crypto'; import 'node:fs'; Date.now(); Math.random(); new Date(); new Date(5);",
    );
    expect(impurities(source).map((line) => line.split(': ')[1])).toEqual([
      'randomBytes',
      'node:fs',
      'Date.now',
      'Math.random',
      'new Date()',
    ]);
  });
});
