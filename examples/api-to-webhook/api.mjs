// Stands in for an API without webhooks: twelve products, which can be changed, added and deleted.
import { createServer } from 'node:http';

const products = new Map(
  Array.from({ length: 12 }, (_, n) => [`tea-${n + 1}`, { sku: `tea-${n + 1}`, price: 4.5, stock: 10 * (n + 1) }]),
);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const [, , sku] = request.url.split('/');
  if (request.method === 'PUT') products.set(sku, { sku, ...JSON.parse(Buffer.concat(chunks).toString()) });
  else if (request.method === 'DELETE' && sku === undefined) products.clear();
  else if (request.method === 'DELETE') products.delete(sku);
  response.setHeader('Content-Type', 'application/json');
  response.end(request.method === 'GET' ? JSON.stringify({ products: [...products.values()] }) : '');
}).listen(9001, '127.0.0.1');
