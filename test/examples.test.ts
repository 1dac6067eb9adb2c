// The examples are run as their READMEs say, against `tidings dev`.
import Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReadyServer, type TestCli, testCli } from './cli.ts';
import { type Example, openExample } from './example.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { until } from './until.ts';

let cli: TestCli;
let server: ReadyServer;
beforeAll(async () => {
  cli = await testCli();
  server = await cli.ready(['dev', '--allow-http', '--allow-private', '127.0.0.0/8']);
}, 60_000);
afterAll(() => cli.close());

/** The blocks of text in a README: what is printed. */
function printedBy({ blocks }: Example): string[] {
  return blocks.filter(({ language }) => language === 'text').map(({ code }) => code);
}

/** What the stand-in for Slack printed, message by message; the answers of the shell are between. */
function messagesIn(output: string): string[] {
  return [...output.matchAll(/--- a message\n(.*\n.*\n<https:.*>)/g)].map(([, message]) => message).sort();
}

/** How each request was answered; what others print meanwhile is left out. */
function statusesIn(output: string): string {
  return `${output.match(/^.* \d{3}$/gm)!.join('\n')}\n`;
}

describe('the Slack example', () => {
  test('makes messages of the posts with the mention and the hashtag, and of nothing else', async () => {
    const example = await openExample('slack', { cli, server });
    try {
      const answers = await example.runAll();
      expect(answers).toHaveLength(4);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      expect(answers[3]).toContain('"path":"/data/mentions","expected":{"account":"acme"}');
      await example.arrived('social', 'launch-channel');
      const { output } = example.shell;
      expect(output.match(/--- a message/g)).toHaveLength(2);
      expect(messagesIn(output)).toEqual(messagesIn(printedBy(example)[0]));
    } finally {
      await example.close();
    }
  });

  test('is what the guide shows', async () => {
    const [shown] = codeBlocks(readDocument('docs/guide/filters.md')).filter(({ code }) => code.includes('slack'));
    expect(JSON.parse(shown.code)).toEqual(JSON.parse(readDocument('examples/slack/endpoint.json')));
  });
});

describe('the example GitHub to Slack', () => {
  test('makes a message of each issue and pull request that is opened, once', async () => {
    const example = await openExample('github-to-slack', { cli, server });
    try {
      const answers = await example.runAll({ 3: /"reason":"no_match".*"cause":"duplicate"/ });
      expect(answers).toHaveLength(4);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      const [sent, messages] = printedBy(example);
      expect(statusesIn(answers[2])).toBe(sent);
      await example.arrived('team', 'team-channel');
      const { output } = example.shell;
      expect(output.match(/--- a message/g)).toHaveLength(2);
      expect(messagesIn(output)).toEqual(messagesIn(messages));
    } finally {
      await example.close();
    }
  });
});

describe('the Stripe example', () => {
  test('credits a payment once, however often it comes', async () => {
    const example = await openExample('stripe-inbox', { cli, server, env: { DATABASE_URL: server.databaseUrl } });
    const { shell, url } = example;
    try {
      const answers = await example.runAll();
      expect(answers).toHaveLength(5);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      const [sent, credited] = printedBy(example);
      expect(statusesIn(answers[2])).toBe(sent);
      for (const id of ['evt_1', 'evt_2', 'evt_3']) await shell.printed(new RegExp(`${id} invoice.paid: new`));
      await shell.printed(/evt_4 customer.created: new/);
      await shell.printed(/evt_1 invoice.paid: known/);
      const balances = async () => (await fetch(url)).text();
      expect(await balances()).toBe(credited);

      // Many at once, one of which is to be the first.
      const secret = /STRIPE_SECRET=(\S+)/.exec(example.blocks.map(({ code }) => code).join(''))![1];
      const object = { customer: 'cus_dee', amount_paid: 700 };
      const body = JSON.stringify({ id: 'evt_9', object: 'event', type: 'invoice.paid', data: { object } });
      const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret });
      const deliver = async (text: string) =>
        (await fetch(url, { method: 'POST', body: text, headers: { 'stripe-signature': signature } })).status;
      const statuses = await Promise.all(Array.from({ length: 20 }, () => deliver(body)));
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(await deliver(`${body} `)).toBe(400);
      expect(await balances()).toBe(`${credited}cus_dee 700\n`);
      await until(() => shell.output.match(/evt_9 invoice.paid: /g)?.length === 20);
      expect(shell.output.match(/evt_9 invoice.paid: new/g)).toHaveLength(1);
      expect(shell.output.match(/evt_5/g)).toHaveLength(1);
    } finally {
      await example.close();
    }
  });
});

/** What the receiver printed of these types, in order. */
function receivedIn(output: string, types: string): string {
  return [...output.matchAll(new RegExp(`${types} \\{[^}]*\\}`, 'g'))].map(([line]) => `${line}\n`).join('');
}

describe('the example of a feed', () => {
  test('tells each post once, oldest first', async () => {
    const example = await openExample('feed-to-webhook', { cli, server });
    try {
      const printed = printedBy(example);
      const answers = await example.runAll({ 5: /"created":1,.*"created":2,/ });
      expect(answers).toHaveLength(6);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      expect(answers[3]).toMatch(/"told":1,"events":\[\{[^{]*"data":\{"id":"https:\/\/blog.example\/4"/);
      await example.arrived('news', 'reader');
      expect(receivedIn(example.shell.output, 'post.published')).toBe(printed.join(''));
    } finally {
      await example.close();
    }
  });
});

describe('the example of an API', () => {
  test('tells what is new, differs or is gone, and not that all is gone at once', async () => {
    const example = await openExample('api-to-webhook', { cli, server });
    try {
      const [printed] = printedBy(example);
      const answers = await example.runAll({ 3: /"items":12,/, 6: /"cause":"too_few_items"/ });
      expect(answers).toHaveLength(7);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: /);
      await example.arrived('shelf', 'shop-window');
      expect(receivedIn(example.shell.output, 'product.\\w+')).toBe(printed);
    } finally {
      await example.close();
    }
  });
});
