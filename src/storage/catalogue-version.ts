// The number that every change of the catalogue raises, by which processes see that there is something to read.
import type { Query, Queryable } from './database.ts';

const RAISE_CATALOGUE_VERSION = {
  name: 'raise_catalogue_version',
  text: `UPDATE instance SET catalogue_version = catalogue_version + 1 RETURNING catalogue_version`,
} satisfies Query;

/** Locks the catalogue for the rest of the transaction: changes go one after another. */
export async function lockCatalogue(tx: Queryable): Promise<number> {
  return (await tx.query<{ catalogue_version: number }>(RAISE_CATALOGUE_VERSION))[0].catalogue_version;
}

const READ_CATALOGUE_VERSION = {
  name: 'read_catalogue_version',
  text: `SELECT catalogue_version FROM instance`,
} satisfies Query;

export async function readCatalogueVersion(db: Queryable): Promise<number> {
  return (await db.query<{ catalogue_version: number }>(READ_CATALOGUE_VERSION))[0].catalogue_version;
}
