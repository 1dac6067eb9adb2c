// A receiver: verifies what an endpoint is sent, and prints type and data. SECRET is the endpoint's.
import { createServer } from 'node:http';
import { Webhook } from 'standardwebhooks';

const webhook = new Webhook(process.env.SECRET);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const { type, data } = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
    console.log(type, JSON.stringify(data));
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(9000, '127.0.0.1');
