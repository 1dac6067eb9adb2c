import { test } from 'vitest';
import { running } from './running.ts';
test('probe', { timeout: 120000 }, async () => {
  const server = await running();
  const appId = await server.anApp();
  let on = true;
  let acks = 0; const errs: string[] = [];
  const pubs = Array.from({ length: 6 }, async () => { while (on) { try { await server.publish(appId); acks++; } catch (e) { errs.push(String(e) + String((e as any).cause)); await new Promise(r => setTimeout(r, 20)); } } });
  while (acks < 150) await new Promise(r => setTimeout(r, 10));
  const t = Date.now();
  const s = server.stop();
  let done = false; void s.then(() => { done = true; });
  for (let i = 0; i < 90 && !done; i++) { await new Promise(r => setTimeout(r, 1000)); if (i % 10 === 0) console.log(i, process.getActiveResourcesInfo().join(' ')); }
  console.log('stopped after', Date.now() - t, acks, new Set(errs));
  on = false; await Promise.all(pubs); await server.close();
});
