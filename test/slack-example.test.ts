// The example in examples/slack is run as its README says, against `tidings dev`; only the port of what stands in for Slack is another.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReadyServer, type TestCli, testCli } from './cli.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { freePort, isListening, Shell } from './shell.ts';
import { until } from './until.ts';

const EXAMPLE = 'examples/slack';
const STAND_IN_PORT = '9000';

let cli: TestCli;
let server: ReadyServer;
beforeAll(async () => {
  cli = await testCli();
  server = await cli.ready(['dev', '--allow-http', '--allow-private', '127.0.0.0/8']);
}, 60_000);
afterAll(() => cli.close());

/** The example in the folder of the server, at a port of its own. */
async function copyExample(port: string): Promise<void> {
  const folder = join(cli.folder, EXAMPLE);
  await cp(fileURLToPath(new URL(`../${EXAMPLE}`, import.meta.url)), folder, { recursive: true });
  for (const name of ['stand-in.mjs', 'endpoint.json']) {
    const text = await readFile(join(folder, name), 'utf8');
    expect(text).toContain(STAND_IN_PORT);
    await writeFile(join(folder, name), text.replaceAll(STAND_IN_PORT, port));
  }
}

describe('the Slack example', () => {
  test('makes messages of the posts with the mention and the hashtag, and of nothing else', async () => {
    const port = await freePort();
    await copyExample(port);
    const shell = new Shell(cli.folder, {
      TIDINGS: server.url,
      AUTH: `Authorization: Bearer ${server.apiKey}`,
      JSON: 'Content-Type: application/json',
    });
    try {
      const blocks = codeBlocks(readDocument(`${EXAMPLE}/README.md`));
      const calls = blocks.filter(({ language }) => language === 'sh');
      expect(calls).toHaveLength(4);
      const answers: string[] = [];
      for (const { code } of calls) {
        answers.push(await shell.run(code));
        if (code.includes('stand-in')) await until(() => isListening(port));
      }
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      expect(answers[3]).toContain('"path":"/data/mentions","expected":{"account":"acme"}');
      // The endpoint has passed the last post, and nothing of it is under way.
      const status = `curl -sS -H "$AUTH" $TIDINGS/v1/apps/social/endpoints/launch-channel/status`;
      await until(async () => {
        const { lag, inFlight } = JSON.parse((await shell.run(status)).match(/^\{.*\}$/m)![0]);
        return lag.events === 0 && inFlight === 0;
      });
      const wanted = blocks.find(({ language }) => language === 'text')!.code;
      expect(shell.output.match(/--- a message/g)).toHaveLength(2);
      expect(messagesIn(shell.output)).toEqual(messagesIn(wanted));
    } finally {
      await shell.close();
    }
  });

  test('is what the guide shows', async () => {
    const [shown] = codeBlocks(readDocument('docs/guide/filters.md')).filter(({ code }) => code.includes('slack'));
    expect(JSON.parse(shown.code)).toEqual(JSON.parse(readDocument(`${EXAMPLE}/endpoint.json`)));
  });
});

/** What the stand-in printed, message by message; the answers of the shell are between. */
function messagesIn(output: string): string[] {
  return [...output.matchAll(/--- a message\n(.*\n.*\n<https:.*>)/g)].map(([, message]) => message).sort();
}
