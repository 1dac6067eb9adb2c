// Stands in for a blog: its feed, in which there is one post more for each title that is sent to it. Nothing is sent twice to whoever has it.
import { createServer } from 'node:http';

const titles = ['Hello, world', 'On tea', 'More on tea'];

function writeFeed() {
  const items = titles.map((title, n) => {
    const text = title.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    const link = `https://blog.example/${n + 1}`;
    const date = new Date(Date.UTC(2026, 10, n + 1, 8)).toUTCString();
    return `<item><guid>${link}</guid><title>${text}</title><link>${link}</link><pubDate>${date}</pubDate></item>`;
  });
  return `<?xml version="1.0"?><rss version="2.0"><channel><title>A blog</title>${items.reverse().join('')}</channel></rss>`;
}

createServer(async (request, response) => {
  if (request.method === 'POST') {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    titles.push(Buffer.concat(chunks).toString());
    response.end();
    return;
  }
  const headers = { 'Content-Type': 'application/rss+xml', ETag: `"${titles.length}"` };
  if (request.headers['if-none-match'] === headers.ETag) response.writeHead(304, headers).end();
  else response.writeHead(200, headers).end(writeFeed());
}).listen(9001, '127.0.0.1');
