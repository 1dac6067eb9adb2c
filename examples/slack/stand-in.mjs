// Stands in for Slack's incoming webhooks: takes messages as Slack does, and prints what they say.
import { createServer } from 'node:http';

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { blocks } = JSON.parse(Buffer.concat(chunks).toString());
  const texts = blocks.flatMap(({ text, fields = [], elements = [] }) => [text, ...fields, ...elements]);
  console.log(['--- a message', ...texts.filter(Boolean).map(({ text }) => text)].join('\n'));
  response.end('ok');
}).listen(9000, '127.0.0.1');
