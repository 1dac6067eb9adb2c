// Debian's Chromium, driven by playwright-core; it reaches what this machine serves, and asks for nothing by itself.
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser'];
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser {
  newPage(url: string): Promise<Page>;
  close(): Promise<void>;
}

/** A browser with a profile of its own. */
export async function browser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'tidings-browser-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath: findChromium(), args: FLAGS });
  return {
    async newPage(url) {
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

function findChromium(): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // in another folder
      }
    }
  }
  throw new Error(
    `There is no ${NAMES[0]} on the PATH. Install it: apt-get install chromium. This test needs a real browser.`,
  );
}
