// Stands in for GitHub: sends payloads that GitHub publishes as examples, signed by GitHub's own library, and prints how each was answered.
// node github.mjs <URL of the source>
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { sign } from '@octokit/webhooks-methods';

const [url] = process.argv.slice(2);
const examples = createRequire(import.meta.url)('@octokit/webhooks-examples');
const { secrets } = JSON.parse(readFileSync(new URL('source.json', import.meta.url), 'utf8'));

async function send(event, { action, delivery, note = '', secret = secrets[0] }) {
  const payloads = examples.find(({ name }) => name === event).examples;
  const body = JSON.stringify(payloads.find((payload) => payload.action === action));
  const headers = {
    'Content-Type': 'application/json',
    'X-GitHub-Event': event,
    'X-GitHub-Delivery': delivery,
    'X-Hub-Signature-256': await sign(secret, body),
  };
  const { status } = await fetch(url, { method: 'POST', headers, body });
  console.log([event, action, note, status].filter(Boolean).join(' '));
}

await send('issues', { action: 'opened', delivery: '1' });
await send('issues', { action: 'opened', delivery: '1', note: 'again' });
await send('issues', { action: 'labeled', delivery: '2' });
await send('push', { delivery: '3' });
await send('pull_request', { action: 'opened', delivery: '4' });
await send('issues', { action: 'opened', delivery: '5', note: 'with a wrong secret', secret: 'guessed' });
