// Pages for readers who ask for the same one at the same time: all who wait at the end of a log, when it goes on. The first has it read, the
// others get the same page, and with it whatever was made of it.
import type { Head } from '../storage/heads.ts';
import type { LogPage, PageRequest } from './read-page.ts';

const MAX_PAGES = 64;
const MAX_PAGE_BYTES = 64 * 1024;

export class SharedPages {
  readonly #read: (request: PageRequest, head: Head) => Promise<LogPage>;
  readonly #pages = new Map<string, Promise<LogPage>>();

  constructor(parts: { read: (request: PageRequest, head: Head) => Promise<LogPage> }) {
    this.#read = parts.read;
  }

  read(request: PageRequest, head: Head): Promise<LogPage> {
    if (request.key === null) return this.#read(request, head);
    const start = request.start ?? request.after;
    const key = `${request.appId} ${start.position} ${request.after.position} ${head.position} ${request.key}`;
    let page = this.#pages.get(key);
    if (page === undefined) {
      page = this.#read(request, head);
      this.#keep(key, page);
    }
    return page;
  }

  #keep(key: string, page: Promise<LogPage>): void {
    this.#pages.set(key, page);
    if (this.#pages.size > MAX_PAGES) this.#pages.delete(this.#pages.keys().next().value!);
    page.then(
      ({ bytes }) => {
        if (bytes > MAX_PAGE_BYTES) this.#pages.delete(key);
      },
      () => this.#pages.delete(key),
    );
  }
}
