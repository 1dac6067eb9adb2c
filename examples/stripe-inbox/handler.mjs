// Credits what was paid, once, however often the same event comes: the event's id goes into the table inbox in the transaction that
// credits. Who comes second, or beside another, finds the id there and does nothing.
import { createServer } from 'node:http';
import pg from 'pg';
import Stripe from 'stripe';

const { DATABASE_URL, STRIPE_SECRET } = process.env;
// Tidings has held the time in the signature against the clock when the event came in. A retry or a replay may be older; that it changes
// nothing is for the inbox to see to, so keep its rows at least as long as this.
const TOLERANCE_SECONDS = 30 * 24 * 3600;

const pool = new pg.Pool({ connectionString: DATABASE_URL });
await pool.query(`
  CREATE SCHEMA IF NOT EXISTS shop;
  CREATE TABLE IF NOT EXISTS shop.inbox (event_id text PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS shop.balances (customer text PRIMARY KEY, cents bigint NOT NULL);
`);

/** True when the event is a new one. */
async function handle(event) {
  const client = await pool.connect();
  let failure;
  try {
    await client.query('BEGIN');
    const inbox = 'INSERT INTO shop.inbox (event_id) VALUES ($1) ON CONFLICT DO NOTHING';
    const { rowCount } = await client.query(inbox, [event.id]);
    if (rowCount === 1) await takeEffect(client, event);
    await client.query('COMMIT');
    return rowCount === 1;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // A connection that failed is closed, which rolls back.
    client.release(failure);
  }
}

async function takeEffect(client, { type, data }) {
  if (type !== 'invoice.paid') return;
  const { customer, amount_paid } = data.object;
  await client.query(
    `INSERT INTO shop.balances (customer, cents) VALUES ($1, $2)
     ON CONFLICT (customer) DO UPDATE SET cents = balances.cents + excluded.cents`,
    [customer, amount_paid],
  );
}

async function take(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  // The signature is of the body as it came: it is parsed after that, and by nobody before.
  const body = Buffer.concat(chunks);
  const signature = request.headers['stripe-signature'] ?? '';
  let event;
  try {
    event = Stripe.webhooks.constructEvent(body, signature, STRIPE_SECRET, TOLERANCE_SECONDS);
  } catch {
    console.log('refused');
    return 400;
  }
  try {
    console.log(`${event.id} ${event.type}: ${(await handle(event)) ? 'new' : 'known'}`);
    return 200;
  } catch (error) {
    // Answered 500 it comes again.
    console.log(`${event.id}: ${error.message}`);
    return 500;
  }
}

async function showBalances() {
  const { rows } = await pool.query('SELECT customer, cents FROM shop.balances ORDER BY customer');
  return rows.map(({ customer, cents }) => `${customer} ${cents}\n`).join('');
}

createServer(async (request, response) => {
  if (request.method === 'GET') response.end(await showBalances());
  else response.writeHead(await take(request)).end();
}).listen(9000, '127.0.0.1');
