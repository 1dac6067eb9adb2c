// The part of the catalogue that publishing asks: the schemas of the types whose data is validated, compiled, and what apps say in place of
// the types. All other types are not known here, so that publishing them costs one look at a map that they are not in, and nothing
// where nothing is validated.
//
// Schemas are compiled when the catalogue is read, never while somebody publishes. It is read at the start, when this process has changed it,
// when another tells by a hint that it has, and when the version that is looked at once a second is another.
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Validation } from '../core/catalogue/event-type-definition.ts';
import { type FieldError, TidingsError } from '../core/errors.ts';
import type { NewEvent } from '../core/event.ts';
import { Budget } from '../core/schema/budget.ts';
import { compileSchema, type ValidateData } from '../core/schema/compile-schema.ts';
import { changedValidations } from '../storage/apps.ts';
import { readCatalogueVersion } from '../storage/catalogue-version.ts';
import type { Queryable } from '../storage/database.ts';
import { findEventTypes, listValidatedTypes, type ValidatedType } from '../storage/event-types.ts';

const POLL_EVERY_MS = 1000;
/** What the data of one request may cost to check: honest data takes some 0.3 steps a byte. */
const STEPS = 2_000_000;
const STEPS_PER_BYTE = 2;
/** Types whose schemas are read at once. */
const READ_TYPES = 50;
const MAX_ERRORS = 20;
/** Of one event that is published with others. */
const MAX_WARNINGS_IN_BATCH = 3;

interface Rule extends ValidatedType {
  validate: ValidateData;
}

export interface CatalogueParts {
  db: Queryable;
  onError: (error: unknown) => void;
  pollEveryMs?: number;
}

export class Catalogue {
  /** Events whose data did not fit, since the start. */
  readonly counts = { warn: 0, reject: 0 };
  readonly #parts: CatalogueParts;
  #rules: ReadonlyMap<string, Rule> = new Map();
  /** What apps say in place of the types; those that say nothing are not in it. */
  #byApp: ReadonlyMap<string, Validation> = new Map();
  #version = -1;
  #reading: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #stopped = true;

  constructor(parts: CatalogueParts) {
    this.#parts = parts;
  }

  /** Reads the catalogue, then looks for changes. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.refresh();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    await Promise.all([this.#reading, this.#next]).catch(() => {});
  }

  /** Resolves when what is committed by now is known here. */
  refresh(): Promise<void> {
    // What is being read may have begun before the change; one more look serves all who ask meanwhile.
    if (this.#reading === null) return this.#begin();
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.#begin();
      });
    return this.#next;
  }

  /** This process has changed the catalogue. What cannot be read now the next look finds. */
  async changedHere(): Promise<void> {
    await this.refresh().catch(this.#parts.onError);
  }

  /** Another process has changed the catalogue. */
  changedElsewhere(): void {
    if (!this.#stopped) void this.changedHere(); // else the poll finds it
  }

  /**
   * Holds the data of events to the schemas of their types. Returns what is wrong with those that are only to be warned of, by index, or null
   * when there is nothing to say. @throws TidingsError `schema_violation`, with all that is wrong with those that are to be refused
   */
  check(appId: string, events: readonly NewEvent[], isBatch: boolean): (FieldError[] | null)[] | null {
    if (this.#rules.size === 0) return null;
    const ofApp = this.#byApp.get(appId);
    let warnings: (FieldError[] | null)[] | null = null;
    const refused: FieldError[] = [];
    let refusedEvents = 0;
    let budget: Budget | null = null;
    for (let i = 0; i < events.length; i++) {
      const rule = this.#rules.get(events[i].type);
      if (rule === undefined) continue;
      const validation = ofApp ?? rule.validation;
      if (validation === 'off') continue;
      budget ??= new Budget(STEPS);
      budget.left += STEPS_PER_BYTE * events[i].data.length;
      const faults = faultsOf(events[i], rule, budget);
      if (faults.length === 0) continue;
      const errors = isBatch ? faults.map(({ path, message }) => ({ path: `/events/${i}${path}`, message })) : faults;
      this.counts[validation]++;
      if (validation === 'reject') {
        refusedEvents++;
        if (refused.length < MAX_ERRORS) refused.push(...errors.slice(0, MAX_ERRORS - refused.length));
        continue;
      }
      warnings ??= events.map(() => null);
      warnings[i] = isBatch ? errors.slice(0, MAX_WARNINGS_IN_BATCH) : errors;
    }
    if (refused.length > 0) throw violation(refused, refusedEvents);
    return warnings;
  }

  #begin(): Promise<void> {
    const reading = this.#read().finally(() => {
      if (this.#reading === reading) this.#reading = null;
    });
    this.#reading = reading;
    return reading;
  }

  async #read(): Promise<void> {
    const { db } = this.#parts;
    // Before the rules: what changes in between is read again with the next version.
    const version = await readCatalogueVersion(db);
    if (version === this.#version) return;
    const byApp = new Map(this.#byApp);
    for (const [appId, validation] of await changedValidations(db, Math.max(this.#version, 0))) {
      if (validation === null) byApp.delete(appId);
      else byApp.set(appId, validation);
    }
    const all = [...byApp.values()].some((validation) => validation !== 'off');
    const rules = new Map<string, Rule>();
    const changed = new Map<string, ValidatedType>();
    for (const type of await listValidatedTypes(db, { all })) {
      const known = this.#rules.get(type.type);
      if (known?.changedVersion === type.changedVersion) rules.set(type.type, known);
      else changed.set(type.type, type);
    }
    const names = [...changed.keys()];
    for (let from = 0; from < names.length; from += READ_TYPES) {
      for (const { type, schema } of await findEventTypes(db, names.slice(from, from + READ_TYPES))) {
        if (schema === null) continue;
        rules.set(type, { ...changed.get(type)!, validate: compileSchema(schema) });
        await yieldToOthers();
      }
    }
    this.#rules = rules;
    this.#byApp = byApp;
    this.#version = version;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(async () => {
      try {
        await this.refresh();
      } catch (error) {
        this.#parts.onError(error);
      }
      this.#schedule();
    }, this.#parts.pollEveryMs ?? POLL_EVERY_MS);
  }
}

function faultsOf(event: NewEvent, rule: Rule, budget: Budget): FieldError[] {
  if (rule.archived) {
    return [{ path: '/type', message: `The type ${event.type} is archived: it is no longer published.` }];
  }
  const faults = rule.validate(JSON.parse(event.data.toString('utf8')), budget);
  return faults.map(({ path, message }) => ({ path: `/data${path}`, message }));
}

function violation(errors: FieldError[], events: number): TidingsError {
  const [{ path, message }] = errors;
  const more = errors.length > 1 ? ` (And ${errors.length - 1} more.)` : '';
  const of = events > 1 ? ` of ${events} events` : '';
  return new TidingsError(
    'schema_violation',
    `The data${of} does not fit the schema of its type, at ${path}: ${message}${more} Nothing was stored.`,
    { errors },
  );
}
