// A document of others (OpenAPI, AsyncAPI) as it is gone through: references within it are followed, nothing is fetched, and the work is
// bounded.
import type { FieldError } from '../errors.ts';
import { jsonPointer } from '../json-error.ts';
import { isObject, type Path } from '../schema/schema.ts';

const MAX_HOPS = 20;
const MAX_SCHEMAS = 500_000;

export class UnreadableDocument extends Error {
  readonly fault: FieldError;

  constructor(at: Path, message: string) {
    super(message);
    this.fault = { path: jsonPointer(at), message };
  }

  /** Further below, at a JSON pointer. */
  within(pointer: string): this {
    this.fault.path += pointer;
    return this;
  }
}

export class DocumentReader {
  readonly #document: unknown;
  #left = MAX_SCHEMAS;

  /** Parsed JSON. */
  constructor(document: unknown) {
    this.#document = document;
  }

  /** What stands there; undefined = nothing. */
  at(path: Path): unknown {
    let value = this.#document;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<string | number, unknown>)[step];
    }
    return value;
  }

  /** @throws UnreadableDocument when a reference that stands at `from` leads out of the document, or nowhere */
  stepsTo(ref: string, from: Path): Path {
    const shown = ref.slice(0, 200);
    if (!ref.startsWith('#')) {
      throw new UnreadableDocument(
        from,
        `${shown} is outside of this document, and nothing is fetched. Bundle it into one file.`,
      );
    }
    let steps: string[];
    try {
      steps = decodeURIComponent(ref.slice(1)).split('/').slice(1);
    } catch {
      steps = [''];
    }
    const path = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    if ((ref !== '#' && !ref.startsWith('#/')) || this.at(path) === undefined) {
      throw new UnreadableDocument(from, `There is nothing at ${shown}.`);
    }
    return path;
  }

  /** The place that is meant by what is nothing but a reference, at the end of all such. @throws UnreadableDocument */
  follow(path: Path): Path {
    let at = path;
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const value = this.at(at);
      if (!isObject(value) || typeof value.$ref !== 'string' || Object.keys(value).length > 1) return at;
      at = this.stepsTo(value.$ref, at);
    }
    throw new UnreadableDocument(path, 'The references lead on and on.');
  }

  /** The object there, whose references are followed; null = there is nothing. @throws UnreadableDocument when it is no object */
  objectAt(path: Path): { at: Path; value: Record<string, unknown> } | null {
    if (this.at(path) === undefined) return null;
    const at = this.follow(path);
    const value = this.at(at);
    if (!isObject(value)) throw new UnreadableDocument(at, 'There must be an object here.');
    return { at, value };
  }

  /** Counts a schema that was looked at. @throws UnreadableDocument */
  spend(): void {
    if (--this.#left < 0) throw new UnreadableDocument([], 'The document is too large. Import it in parts.');
  }
}
