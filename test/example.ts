// The examples, run as their READMEs say, in the folder of a server of the command line; only the ports of what stands in for others differ.
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { ReadyServer, TestCli } from './cli.ts';
import { type CodeBlock, codeBlocks, readDocument } from './markdown.ts';
import { freePort, isListening, Shell } from './shell.ts';
import { until } from './until.ts';

const ROOT = new URL('..', import.meta.url);
/** What the examples listen on. */
const PORTS = ['9000', '9001'] as const;

export interface Example {
  /** Those of its README, at its ports. */
  blocks: CodeBlock[];
  shell: Shell;
  /** Where its handler, receiver, or what stands in for Slack listens. */
  url: string;
  /**
   * Runs the snippets of the README, one after the other, and returns what each printed; goes on when all has been printed that a block of text
   * says. Some snippets, by their place, are run until they print what they are to show.
   */
  runAll(awaited?: Readonly<Record<number, RegExp>>): Promise<string[]>;
  /** Resolves when all events that an endpoint was due have arrived there. */
  arrived(app: string, endpoint: string): Promise<void>;
  close(): Promise<void>;
}

export async function openExample(
  name: string,
  { cli, server, env = {} }: { cli: TestCli; server: ReadyServer; env?: Record<string, string> },
): Promise<Example> {
  const ports: Record<string, string> = {};
  for (const port of PORTS) ports[port] = await freePort();
  const place = (text: string): string => text.replace(/\b900[01]\b/g, (port) => ports[port]);
  await copyExamples(cli.folder, place);
  const shell = new Shell(cli.folder, {
    TIDINGS: server.url,
    AUTH: `Authorization: Bearer ${server.apiKey}`,
    JSON: 'Content-Type: application/json',
    ...env,
  });
  const blocks = codeBlocks(place(readDocument(`examples/${name}/README.md`)));

  async function run(code: string): Promise<string> {
    const printed = await shell.run(code);
    for (const [, program] of code.matchAll(/^node (\S+)[^\n]* &$/gm)) {
      const [, port] = /listen\((\d+)/.exec(await readFile(join(cli.folder, program), 'utf8'))!;
      await until(() => isListening(port));
    }
    return printed;
  }

  return {
    blocks,
    shell,
    url: `http://127.0.0.1:${ports[PORTS[0]]}`,
    runAll: async (awaited = {}) => {
      const answers: string[] = [];
      for (const { language, code } of blocks) {
        const i = answers.length;
        if (language === 'text') {
          const isPrinted = (): boolean => code.split('\n').every((line) => shell.output.includes(line));
          await until(isPrinted).catch(() => expect(shell.output).toContain(code));
        } else if (language === 'sh') {
          await until(async () => {
            answers[i] = await run(code);
            return awaited[i]?.test(answers[i]) ?? true;
          });
        }
      }
      return answers;
    },
    arrived: async (app, endpoint) => {
      const url = `${server.url}/v1/apps/${app}/endpoints/${endpoint}/status`;
      await until(async () => {
        const answer = await fetch(url, { headers: { authorization: `Bearer ${server.apiKey}` } });
        const { lag, inFlight } = (await answer.json()) as { lag: { events: number }; inFlight: number };
        return lag.events === 0 && inFlight === 0;
      });
    },
    close: () => shell.close(),
  };
}

async function copyExamples(folder: string, place: (text: string) => string): Promise<void> {
  const examples = join(folder, 'examples');
  await cp(fileURLToPath(new URL('examples', ROOT)), examples, { recursive: true });
  for (const entry of await readdir(examples, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    await writeFile(path, place(await readFile(path, 'utf8')));
  }
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) await symlink(fileURLToPath(new URL('node_modules', ROOT)), modules);
}
