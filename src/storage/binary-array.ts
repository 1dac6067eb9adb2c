// Arrays in Postgres' binary format (array_recv: dimensions, a flag for NULLs, the element's type, then per element its length and bytes).
// The statements of the hot path carry dozens of columns of hundreds of rows: written as text they cost a string per value here and a
// parse there. pg sends a Buffer as a binary parameter, so these need no further help; the statement must cast to the same type.

type Value<Row, T> = (row: Row) => T | null;

const OIDS = { bool: 16, int8: 20, int2: 21, int4: 23, text: 25, float8: 701, date: 1082, uuid: 2950 } as const;
const HEADER_BYTES = 20;
const DAYS_FROM_1970_TO_2000 = 10_957;

/** `width` bytes for each value that is not null. */
function fixedArray<Row, T>(
  oid: number,
  width: number,
  rows: readonly Row[],
  value: Value<Row, T>,
  write: (bytes: Buffer, value: T, at: number) => void,
): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + rows.length * (4 + width));
  let at = HEADER_BYTES;
  let nulls = 0;
  for (const row of rows) {
    const one = value(row);
    if (one === null) {
      nulls++;
      at = bytes.writeInt32BE(-1, at);
      continue;
    }
    at = bytes.writeInt32BE(width, at);
    write(bytes, one, at);
    at += width;
  }
  return finish(bytes, { oid, length: rows.length, nulls, at });
}

// A column that is NULL throughout is sent empty: unnest fills the shorter arrays with NULL.
function finish(bytes: Buffer, array: { oid: number; length: number; nulls: number; at: number }): Buffer {
  const { oid, length, nulls, at } = array;
  const empty = nulls === length;
  bytes.writeInt32BE(empty ? 0 : 1, 0);
  bytes.writeInt32BE(nulls > 0 && !empty ? 1 : 0, 4);
  bytes.writeInt32BE(oid, 8);
  if (empty) return bytes.subarray(0, 12);
  bytes.writeInt32BE(length, 12);
  bytes.writeInt32BE(1, 16);
  return bytes.subarray(0, at);
}

export function int2Array<Row>(rows: readonly Row[], value: Value<Row, number>): Buffer {
  return fixedArray(OIDS.int2, 2, rows, value, (bytes, one, at) => bytes.writeInt16BE(one, at));
}

export function int4Array<Row>(rows: readonly Row[], value: Value<Row, number>): Buffer {
  return fixedArray(OIDS.int4, 4, rows, value, (bytes, one, at) => bytes.writeInt32BE(one, at));
}

/** Integers up to 2^53. */
export function int8Array<Row>(rows: readonly Row[], value: Value<Row, number>): Buffer {
  return fixedArray(OIDS.int8, 8, rows, value, (bytes, one, at) => {
    const upper = Math.floor(one / 2 ** 32);
    bytes.writeInt32BE(upper, at);
    bytes.writeUInt32BE(one - upper * 2 ** 32, at + 4);
  });
}

export function float8Array<Row>(rows: readonly Row[], value: Value<Row, number>): Buffer {
  return fixedArray(OIDS.float8, 8, rows, value, (bytes, one, at) => bytes.writeDoubleBE(one, at));
}

export function boolArray<Row>(rows: readonly Row[], value: Value<Row, boolean>): Buffer {
  return fixedArray(OIDS.bool, 1, rows, value, (bytes, one, at) => bytes.writeUInt8(one ? 1 : 0, at));
}

/** Days as `YYYY-MM-DD`. */
export function dateArray<Row>(rows: readonly Row[], value: Value<Row, string>): Buffer {
  let lastDay = '';
  let lastNumber = 0;
  return fixedArray(OIDS.date, 4, rows, value, (bytes, day, at) => {
    if (day !== lastDay) {
      lastDay = day;
      lastNumber = Date.parse(`${day}T00:00:00Z`) / 86_400_000 - DAYS_FROM_1970_TO_2000;
    }
    bytes.writeInt32BE(lastNumber, at);
  });
}

/** UUIDs as text, with hyphens. */
export function uuidArray<Row>(rows: readonly Row[], value: Value<Row, string>): Buffer {
  return fixedArray(OIDS.uuid, 16, rows, value, (bytes, uuid, at) => {
    bytes.write(uuid.replaceAll('-', ''), at, 16, 'hex');
  });
}

/** Texts without a NUL character. */
export function textArray<Row>(rows: readonly Row[], value: Value<Row, string>): Buffer {
  let size = HEADER_BYTES;
  let nulls = 0;
  for (const row of rows) {
    const text = value(row);
    if (text === null) nulls++;
    size += 4 + (text === null ? 0 : Buffer.byteLength(text));
  }
  const bytes = Buffer.allocUnsafe(size);
  let at = HEADER_BYTES;
  for (const row of rows) {
    const text = value(row);
    if (text === null) {
      at = bytes.writeInt32BE(-1, at);
      continue;
    }
    const length = bytes.write(text, at + 4);
    bytes.writeInt32BE(length, at);
    at += 4 + length;
  }
  return finish(bytes, { oid: OIDS.text, length: rows.length, nulls, at });
}
