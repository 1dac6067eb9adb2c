// The snippets of README and guide are run as they stand, against `tidings dev`; only the receiver's port is another.
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkFilter, compileFilter } from '../src/core/filter.ts';
import { type ReadyServer, type TestCli, testCli } from './cli.ts';
import { aFilterable } from './filterable.ts';
import { codeBlocks, readDocument } from './markdown.ts';
import { receiver } from './receiver.ts';
import { freePort, isListening, Shell } from './shell.ts';
import { until } from './until.ts';

const GUIDE = 'docs/guide/getting-started.md';
const START = /^npm start -- (.+)$/m;
const RECEIVER_PORT = '9000';

let cli: TestCli;
let server: ReadyServer;
beforeAll(async () => {
  cli = await testCli();
  const [, options] = START.exec(readDocument(GUIDE))!;
  server = await cli.ready(['dev', ...options.split(' ')]);
}, 60_000);
afterAll(() => cli.close());

/** What is there sooner or later. */
async function untilGiven<T>(look: () => T | undefined): Promise<T> {
  await until(() => look() !== undefined);
  return look()!;
}

function environment(): Record<string, string> {
  return {
    TIDINGS: server.url,
    AUTH: `Authorization: Bearer ${server.apiKey}`,
    JSON: 'Content-Type: application/json',
  };
}

describe('getting started', () => {
  test('leads to a verified delivery', async () => {
    const port = await freePort();
    const blocks = codeBlocks(readDocument(GUIDE)).map(({ language, code }) => ({
      language,
      code: code.replaceAll(RECEIVER_PORT, port),
    }));
    await symlink(fileURLToPath(new URL('../node_modules', import.meta.url)), join(cli.folder, 'node_modules'));
    await writeFile(join(cli.folder, 'receiver.mjs'), blocks.find(({ language }) => language === 'js')!.code);
    const shell = new Shell(cli.folder, environment());
    try {
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) {
        answers.push(await shell.run(code));
        if (code.includes('receiver.mjs')) await until(() => isListening(port));
        if (code.includes('/events\n')) await shell.printed(/verified inv-1-paid .*"amount":4200/m);
      }
      expect(answers).toHaveLength(6);
      expect(answers.join('')).not.toMatch(/urn:tidings:error|curl: |refused/);
      expect(answers.at(-2)).toMatch(/"events":\[\{"id":"inv-1-paid","type":"invoice\.paid"/);
    } finally {
      await shell.close();
    }
  });
});

describe('failures and replays', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const path = '$TIDINGS/v1/apps';
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' ${path}`);
      const endpoint = `{"uid":"billing","url":"http://127.0.0.1:${await freePort()}/webhooks"}`;
      await shell.run(`${send} '${endpoint}' ${path}/acme/endpoints`);
      await shell.run(
        `${send} '{"id":"inv-1-paid","type":"invoice.paid","data":{"invoice":"in_1","amount":4200}}' ${path}/acme/events`,
      );
      const blocks = codeBlocks(readDocument('docs/guide/failures-and-replays.md'));
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) answers.push(await shell.run(code));
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [changed, status, explained, resent, dead, replays] = answers;
      expect(answers).toHaveLength(6);
      expect(changed).toContain('"rate":{"perSecond":50}');
      expect(status).toContain('"rateLimit":{"perSecond":50,');
      expect(explained).toContain('"filter":{"matches":true');
      expect(resent).toContain('"cause":"resend"');
      expect(dead).toMatch(/"nextPage":null\}.*"approximate":false.*"replays":\[\{"id":"rpl_/s);
      expect(replays).toMatch(/"events":1,.*"state":"running"/s);
    } finally {
      await shell.close();
    }
  });
});

describe('consumers', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const path = '$TIDINGS/v1/apps';
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' ${path}`);
      const endpoint = `{"uid":"billing","url":"http://127.0.0.1:${await freePort()}/webhooks"}`;
      await shell.run(`${send} '${endpoint}' ${path}/acme/endpoints`);
      const event = '{"id":"inv-1-paid","type":"invoice.paid","data":{"invoice":"in_1","amount":4200}}';
      await shell.run(`${send} '${event}' ${path}/acme/events`);
      const blocks = codeBlocks(readDocument('docs/guide/consumers.md'));
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) answers.push(await shell.run(code));
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [made, leased, committed, moved, turned, missed] = answers;
      expect(answers).toHaveLength(6);
      expect(made).toContain('"name":"books"');
      expect(leased).toMatch(/"lease":"lse_.*"id":"inv-1-paid"/);
      expect(committed).toMatch(/^\{"cursor":"[^"]+","lease":null\}$/);
      expect(moved).toMatch(/"lag":\{"events":[1-9]/);
      expect(turned).toMatch(/"state":"pull".*"events":\[.*"state":"active"/s);
      expect(missed).toContain('"events":[');
    } finally {
      await shell.close();
    }
  });
});

describe('filters', () => {
  const blocks = codeBlocks(readDocument('docs/guide/filters.md'));

  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      await shell.run(
        `curl -sS -o before.json -H "$AUTH" -H "$JSON" -d '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`,
      );
      const port = await freePort();
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) {
        answers.push(await shell.run(code.replaceAll(RECEIVER_PORT, port)));
      }
      const [tried, used, explained, refused] = answers;
      const [told, , , , complaint] = blocks
        .filter(({ language }) => language === 'json')
        .map(({ code }) => code.trim());
      expect(answers).toHaveLength(4);
      expect([tried, used, explained].join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      expect(tried).toContain(told);
      expect(used).toMatch(/"events":\[\{"id":"order-1"[^[\]]*\[\][^[\]]*\],"cursor"/);
      expect(JSON.parse(explained).words).toContain('its data.amount is 5, asked for is {"$gte":100}');
      expect(refused).toContain(complaint);
    } finally {
      await shell.close();
    }
  });

  test('says of each example whether it holds', () => {
    const guide = readDocument('docs/guide/filters.md');
    const event = JSON.parse(blocks.find(({ code }) => code.includes('"none": []'))!.code);
    const rows = [...guide.matchAll(/^\| `(\{.*\})` \| (yes|no) \|/gm)];
    expect(rows.length).toBeGreaterThan(20);
    for (const [, data, holds] of rows) {
      const where = { data: JSON.parse(data) };
      expect(checkFilter({ where }), data).toEqual([]);
      expect(compileFilter({ where }).matches(aFilterable(event)), data).toBe(holds === 'yes');
    }
    expect(checkFilter({ where: JSON.parse(blocks.find(({ code }) => code.includes('A-1'))!.code) })).toEqual([]);
  });
});

describe('scheduling and retention', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const blocks = codeBlocks(readDocument('docs/guide/scheduling-and-retention.md'));
      const [scheduled, taken] = blocks.filter(({ language }) => language === 'sh');
      const answer = blocks.find(({ language }) => language === 'json')!.code.trim();
      expect(await shell.run(scheduled.code)).toContain(answer);
      const listed = await shell.run(taken.code);
      expect(listed).toMatch(/"data":\[\{"id":"trial-ends-7","type":"trial\.ending"/);
      expect(listed).not.toMatch(/urn:tidings:error|curl: /);
      expect(await shell.run(taken.code.split('\n')[0])).toContain('{"data":[],"nextPage":null}');
    } finally {
      await shell.close();
    }
  });
});

describe('receiving webhooks of others', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const port = await freePort();
      const answers: string[] = [];
      for (const { language, code } of codeBlocks(readDocument('docs/guide/inbound.md'))) {
        if (language === 'sh') answers.push(await shell.run(code.replaceAll(RECEIVER_PORT, port)));
        if (language === 'js') await writeFile(join(cli.folder, 'pushes.js'), code);
      }
      expect(answers).toHaveLength(7);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [created, sent, transformed, refused, bin, rotated, forwarded] = answers;
      expect(created).toMatch(/"path":"\/in\/\w{26}"/);
      expect(sent).toMatch(/^200\n/);
      expect(sent).toContain('"data":{"ref":"refs/heads/main","commits":[]}');
      expect(transformed).toContain('"type":"branch.pushed"');
      expect(transformed).toContain('"channels":["branch:main"],"data":{"branch":"main","commits":2}');
      expect(transformed).not.toContain('"branch":"v1"');
      expect(transformed).toContain('returned null. refs/tags/v1 is no branch');
      expect(transformed).toMatch(/^500$/m);
      expect(transformed).toContain('"cause":"transform_failed"');
      expect(refused).toContain('"reason":"no_match"');
      expect(bin).toContain('"path":"/in/…?from=me"');
      expect(rotated).toContain('"secrets":2');
      expect(forwarded).toContain('"format":{"name":"original"}');
    } finally {
      await shell.close();
    }
  });
});

describe('fetching', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const endpoint = `{"uid":"billing","url":"http://127.0.0.1:${await freePort()}/webhooks"}`;
      await shell.run(`${send} '${endpoint}' $TIDINGS/v1/apps/acme/endpoints`);
      const answers: string[] = [];
      for (const { language, code } of codeBlocks(readDocument('docs/guide/fetching.md'))) {
        if (language === 'sh') answers.push(await shell.run(code));
      }
      expect(answers).toHaveLength(2);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [created, ran] = answers;
      expect(created).toContain('"auth":{"type":"header","name":"authorization"}');
      expect(ran).toContain('{"queued":true}');
      expect(ran).toMatch(/"outcome":"(changed|unchanged)"/);
      expect(ran).not.toContain('"outcome":"failed"');
    } finally {
      await shell.close();
    }
  });
});

describe('reading the log', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const path = '$TIDINGS/v1/apps';
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' ${path}`);
      const endpoint = `{"uid":"billing","url":"http://127.0.0.1:${await freePort()}/webhooks"}`;
      await shell.run(`${send} '${endpoint}' ${path}/acme/endpoints`);
      await shell.run(`${send} '{"type":"invoice.paid","data":{"amount":4200}}' ${path}/acme/events`);
      const blocks = codeBlocks(readDocument('docs/guide/reading-the-log.md'));
      const [reader, receiver] = blocks.filter(({ language }) => language === 'js');
      await writeFile(join(cli.folder, 'reader.mjs'), reader.code);
      await writeFile(join(cli.folder, 'take-webhook.mjs'), receiver.code);
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) answers.push(await shell.run(code));
      expect(answers).toHaveLength(5);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [page, unchanged, published, formats, signed] = answers;
      expect(page).toMatch(/^\{"events":\[\{"id":.*"pollAfterSeconds":\d+\}/);
      expect(unchanged.trim()).toBe('304');
      expect(published).toContain('"id":"inv-2-paid"');
      await shell.printed(/\d+ invoice\.paid \{ amount: 100 \}/);
      expect(formats).toContain('"specversion":"1.0"');
      // The reader, which goes on, may print after it on the same line.
      const { webhook } = JSON.parse(/\{"events".*"pollAfterSeconds":\d+\}/.exec(signed)![0]).events[0];
      const answer = await shell.run(`curl -sS -H "$AUTH" ${path}/acme/endpoints/billing/secret`);
      const { secret } = JSON.parse(answer.slice(answer.indexOf('{')));
      const { takeWebhook } = await import(join(cli.folder, 'take-webhook.mjs'));
      expect(takeWebhook(secret, webhook)).toMatchObject({ type: webhook.body.match(/"type":"([^"]+)"/)[1] });
      expect(() => takeWebhook(secret, { ...webhook, body: `${webhook.body} ` })).toThrow();
    } finally {
      await shell.close();
    }
  });
});

describe('transformations', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    const hooks = await receiver();
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const blocks = codeBlocks(readDocument('docs/guide/transformations.md'));
      await writeFile(join(cli.folder, 'shipped.js'), blocks.find(({ language }) => language === 'js')!.code);
      const [tried, used, explained, versions] = blocks
        .filter(({ language }) => language === 'sh')
        .map(({ code }) => code.replaceAll(RECEIVER_PORT, String(hooks.port)));
      const answers = [await shell.run(tried), await shell.run(used)];
      expect(answers[0]).toMatch(
        /"verdict":"sent","output":\{"type":"order\.shipped".*"data":\{"order":7,"total":42\}/,
      );
      const sent = await hooks.request(1);
      expect(JSON.parse(String(sent.body))).toMatchObject({ type: 'order.shipped', data: { order: 7, total: 42 } });
      const look = async () => {
        answers.push(await shell.run(explained));
        return answers.at(-1)!.includes('"state":"filtered"');
      };
      await until(look);
      expect(answers.at(-1)).toContain('Version 1 of the transformation returned null. 8 is too small');
      answers.push(await shell.run(versions));
      expect(answers.at(-1)).toContain('"version":1');
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      expect(hooks.requests).toHaveLength(1);
    } finally {
      await shell.close();
      await hooks.close();
    }
  });
});

type Taker = (request: object, secret: unknown) => unknown;

describe('signatures', () => {
  test('has endpoints whose requests its receivers verify', async () => {
    const shell = new Shell(cli.folder, environment());
    const hooks = await receiver();
    try {
      const path = '$TIDINGS/v1/apps/acme';
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const blocks = codeBlocks(readDocument('docs/guide/signatures.md'));
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) {
        answers.push(await shell.run(code.replaceAll(RECEIVER_PORT, String(hooks.port))));
      }
      expect(answers).toHaveLength(7);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      expect(answers[4]).toMatch(/"secret":"[^"]+=","publicKey":null,"keyId":"[^"]+"/);
      expect(answers[5]).toMatch(/"expiring":\[\{"secret":"whsec_/);
      expect(answers[6]).toMatch(/"expiring":\[\]/);

      await shell.run(`${send} '{"type":"invoice.paid","data":{"amount":4200}}' ${path}/events`);
      const takers = blocks.filter(({ language }) => language === 'js');
      for (const [i, name] of ['github', 'stripe', 'hmac', 'rfc9421'].entries()) {
        await writeFile(join(cli.folder, `${name}.mjs`), takers[i].code);
        const module: Record<string, Taker> = await import(join(cli.folder, `${name}.mjs`));
        const [take] = Object.values(module);
        const request = await untilGiven(() => hooks.requests.find((received) => received.path === `/${name}`));
        const answer = await shell.run(`curl -sS -H "$AUTH" ${path}/endpoints/${name}/secret`);
        const key = JSON.parse(answer.slice(answer.indexOf('{')));
        const held = name === 'rfc9421' ? key : key.secret;
        const taken = { ...request, url: `${hooks.url}${request.path}` };
        expect(await take(taken, held), name).toMatchObject({ type: 'invoice.paid', data: { amount: 4200 } });
        const forged = { ...taken, body: Buffer.from(`${request.body} `) };
        await expect((async () => take(forged, held))(), name).rejects.toThrow();
      }
    } finally {
      await shell.close();
      await hooks.close();
    }
  });
});

describe('formats', () => {
  test('shows what endpoints are sent, and a receiver of CloudEvents that agrees to be sent them', async () => {
    const shell = new Shell(cli.folder, environment());
    const port = await freePort();
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const blocks = codeBlocks(readDocument('docs/guide/formats.md')).map(({ language, code }) => ({
        language,
        code: code.replaceAll(RECEIVER_PORT, port),
      }));
      await writeFile(join(cli.folder, 'cloud-receiver.mjs'), blocks.find(({ language }) => language === 'js')!.code);
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) {
        answers.push(await shell.run(code));
        if (code.includes('cloud-receiver.mjs')) await until(() => isListening(port));
      }
      expect(answers).toHaveLength(6);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [xml, form, slack, , cloud, template] = answers;
      expect(xml).toContain('<amount type=\\"number\\">12.50</amount>');
      expect(form).toContain('data%5Bcustomer%5D%5Bname%5D=A+%26+B');
      expect(slack).toContain('*A &amp; B* paid 12.50');
      expect(slack).toContain('https://example.com/search?q=Invoice+17+was+paid');
      expect(cloud).toContain('"rate":{"perSecond":10}');
      await shell.printed(/invoice\.paid \/billing \{"amount":4200\}$/m);
      expect(template).toContain('{\\"invoice\\":{\\"customer\\":\\"A & B\\",\\"cents\\":1250}}');
    } finally {
      await shell.close();
    }
  });
});

describe('credentials for endpoints', () => {
  test('has calls that work after getting started', async () => {
    const shell = new Shell(cli.folder, environment());
    const [hooks, tokens] = [await receiver(), await receiver()];
    tokens.respondWith({ status: 200, body: '{"access_token":"fetched","token_type":"Bearer","expires_in":3600}' });
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      await shell.run(`${send} '{"uid":"billing","url":"${hooks.url}"}' $TIDINGS/v1/apps/acme/endpoints`);
      // It may be there already, and elsewhere.
      await shell.run(`${send} '{"url":"${hooks.url}"}' -X PATCH $TIDINGS/v1/apps/acme/endpoints/billing`);
      const blocks = codeBlocks(readDocument('docs/guide/endpoint-auth.md'));
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) {
        answers.push(await shell.run(code.replaceAll('9001', String(tokens.port))));
      }
      expect(answers).toHaveLength(4);
      expect(answers.join('\n')).not.toMatch(/urn:tidings:error|curl: |s3cr3t|PRIVATE/);
      const [bearer, oauth2, tested, mtls] = answers;
      expect(bearer).toContain('"auth":{"type":"bearer"}');
      expect(oauth2).toMatch(/"auth":\{"type":"oauth2",.*"scope":"webhooks:write"/);
      expect(tested).toContain('"outcome":"delivered"');
      expect(tokens.requests[0].body.toString()).toContain('scope=webhooks%3Awrite');
      expect(hooks.requests.at(-1)?.headers.authorization).toBe('Bearer fetched');
      expect(mtls).toMatch(/"auth":\{"type":"mtls","subject":"CN=tidings","fingerprint":"[0-9A-F:]{95}"/);
    } finally {
      await shell.close();
      await Promise.all([hooks.close(), tokens.close()]);
    }
  });
});

describe('catalogue', () => {
  test('has calls that work after getting started, and types that TypeScript takes', async () => {
    const shell = new Shell(cli.folder, environment());
    try {
      const send = 'curl -sS -o before.json -H "$AUTH" -H "$JSON" -d';
      await shell.run(`${send} '{"uid":"acme","name":"Acme Ltd"}' $TIDINGS/v1/apps`);
      const blocks = codeBlocks(readDocument('docs/guide/catalogue.md'));
      const answers: string[] = [];
      for (const { code } of blocks.filter(({ language }) => language === 'sh')) answers.push(await shell.run(code));
      const [put, warned, refused, open, planned, versions, imported, exported] = answers;
      expect(answers).toHaveLength(9);
      expect(answers.filter((answer) => answer !== refused).join('\n')).not.toMatch(/urn:tidings:error|curl: /);
      const [warnings, errors, changes] = blocks
        .filter(({ language }) => language === 'json')
        .map(({ code }) => code.trim());
      expect(put).toContain('"version":1');
      expect(warned).toContain(warnings);
      expect(refused).toContain('"code":"schema_violation"');
      expect(refused).toContain(errors);
      expect(open).toMatch(/"validation":"off".*"position":\d+.*"validation":null/s);
      expect(planned).toContain(changes);
      expect(versions).toMatch(/"data":\[\{"version":1.*"breakingChanges":\[\]/s);
      expect(imported.match(/"action":"created"/g)).toHaveLength(2);
      expect(exported).toContain('title: Acme webhooks');

      const declarations = await readFile(join(cli.folder, 'events.d.ts'), 'utf8');
      const printed = await cli.run(['types']);
      expect(printed).toMatchObject({ code: 0, stdout: declarations });
      await writeFile(join(cli.folder, 'receiver.ts'), blocks.find(({ language }) => language === 'ts')!.code);
      const compiled = ts.createProgram([join(cli.folder, 'receiver.ts')], { strict: true, noEmit: true, types: [] });
      expect(ts.getPreEmitDiagnostics(compiled).map(({ messageText }) => messageText)).toEqual([]);
    } finally {
      await shell.close();
    }
  }, 60_000);
});

describe('README', () => {
  test('has a quickstart that works', async () => {
    const readme = readDocument('README.md');
    expect(START.exec(readme)?.[1]).toBe(START.exec(readDocument(GUIDE))?.[1]);
    const snippet = codeBlocks(readme).find(({ language }) => language === 'sh')!.code;
    expect(snippet.trim().split('\n')).toHaveLength(5);
    const shell = new Shell(cli.folder, environment());
    try {
      const answer = await shell.run(snippet.replaceAll(RECEIVER_PORT, await freePort()));
      expect(answer).not.toMatch(/urn:tidings:error|curl: /);
      expect(answer).toMatch(/"type":"order\.created"/);
      expect(answer).toMatch(/whsec_/);
    } finally {
      await shell.close();
    }
  });
});
