// What belongs to the installation as a whole: the log's generation, the key that cursors are signed with, and a check value
// by which a wrong master key is noticed at start rather than at the first secret that cannot be opened.
import type { SecretBox } from '../core/secret-box.ts';
import type { Query, Queryable } from './database.ts';

export interface Instance {
  /** Raised after a restore (design rule 6); it is in every cursor. */
  generation: number;
  cursorKey: Buffer;
}

interface InstanceRow {
  generation: number;
  cursor_key: Buffer | null;
  master_key_check: Buffer | null;
}

const READ_INSTANCE = {
  name: 'read_instance',
  text: `SELECT generation, cursor_key, master_key_check FROM instance`,
} satisfies Query;

// Several processes may start on an empty database at once: the first writes, all read.
const FILL_INSTANCE = {
  name: 'fill_instance',
  text: `UPDATE instance SET cursor_key = $1, master_key_check = $2 WHERE cursor_key IS NULL`,
} satisfies Query;

const CURSOR_KEY_BYTES = 32;
const CURSOR_KEY_BOUND_TO = 'instance:cursor_key';
const CHECK_BOUND_TO = 'instance:master_key_check';
const CHECK_TEXT = 'tidings master key';

/** Reads the installation's values, making them on the first start. @throws Error when the master key is not the one they were sealed with. */
export async function loadInstance(
  db: Queryable,
  parts: { box: SecretBox; randomBytes: (size: number) => Buffer },
): Promise<Instance> {
  const { box } = parts;
  let [row] = await db.query<InstanceRow>(READ_INSTANCE);
  if (row.cursor_key === null) {
    await db.query(FILL_INSTANCE, [
      box.seal(parts.randomBytes(CURSOR_KEY_BYTES), CURSOR_KEY_BOUND_TO),
      box.seal(Buffer.from(CHECK_TEXT), CHECK_BOUND_TO),
    ]);
    [row] = await db.query<InstanceRow>(READ_INSTANCE);
  }
  try {
    if (box.open(row.master_key_check!, CHECK_BOUND_TO).toString() !== CHECK_TEXT)
      throw new Error('another check text');
    return { generation: row.generation, cursorKey: box.open(row.cursor_key!, CURSOR_KEY_BOUND_TO) };
  } catch (cause) {
    throw new Error(
      'The master key is not the one this database was set up with, so its secrets cannot be opened. ' +
        'Start with the master key that was given at the first start (the embedded default keeps it in the data folder).',
      { cause },
    );
  }
}
