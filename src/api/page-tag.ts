// The entity tag of a page of the log: where it begins and ends, whether it reached the end of the log, and what was asked for. So whether a page
// has changed is known without reading it: one that did not reach the end never changes, another does when the log goes on. Weak, as the hint
// when to ask again may differ.
import { createHash } from 'node:crypto';

export interface TaggedPage {
  start: number;
  end: number;
  done: boolean;
}

/** What tells requests apart whose pages begin at the same place, in a few characters. */
export function hashRequest(key: string): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 12);
}

export function writePageTag({ start, end, done }: TaggedPage, requestHash: string): string {
  return `W/"${start}.${end}.${done ? 'e' : 'f'}.${requestHash}"`;
}

const TAG = /^(?:W\/)?"(\d{1,15})\.(\d{1,15})\.([ef])\.([\w-]{12})"$/;

/** The pages of this request that the client has, by its If-None-Match. What is no tag of ours matches nothing. */
export function readPageTags(ifNoneMatch: string | undefined, requestHash: string): TaggedPage[] {
  if (ifNoneMatch === undefined) return [];
  const pages: TaggedPage[] = [];
  for (const text of ifNoneMatch.split(',')) {
    const [, start, end, how, hash] = TAG.exec(text.trim()) ?? [];
    if (hash === requestHash) pages.push({ start: Number(start), end: Number(end), done: how === 'e' });
  }
  return pages;
}
