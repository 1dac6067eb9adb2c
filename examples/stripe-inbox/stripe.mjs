// Stands in for Stripe: sends events signed by Stripe's own library, one of them twice, and prints how each was answered.
// node stripe.mjs <URL of the source>
import Stripe from 'stripe';

const [url] = process.argv.slice(2);

async function send(id, { type, object, note = '', secret = process.env.STRIPE_SECRET }) {
  const created = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({ id, object: 'event', type, created, data: { object } }, null, 2);
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Stripe-Signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret }),
  };
  const { status } = await fetch(url, { method: 'POST', headers, body });
  console.log([id, type, note, status].filter(Boolean).join(' '));
}

const type = 'invoice.paid';
const ada = { id: 'in_1', object: 'invoice', customer: 'cus_ada', amount_paid: 4200 };
await send('evt_1', { type, object: ada });
await send('evt_1', { type, object: ada, note: 'again' });
await send('evt_2', { type, object: { ...ada, id: 'in_2', amount_paid: 800 } });
await send('evt_3', { type, object: { ...ada, id: 'in_3', customer: 'cus_bob', amount_paid: 1500 } });
await send('evt_4', { type: 'customer.created', object: { id: 'cus_cy', object: 'customer' } });
await send('evt_5', {
  type,
  object: { ...ada, amount_paid: 1_000_000 },
  note: 'with a wrong secret',
  secret: 'whsec_no',
});
