// What an event that came in from outside keeps of the request that brought it, so that it can be sent on as it was received (format
// `original`). The body itself is in `data`: as it is when it was JSON, else inside an object that says what it was.

/** Where the body is: `data` is it, or `data.text` or `data.base64` is; `changed`: nowhere, the source's transformation gave other data. */
export const ORIGIN_BODIES = ['data', 'text', 'base64', 'changed'] as const;

export interface Origin {
  /** Empty when the request had none. */
  contentType: string;
  /** Those worth keeping, without secrets and without what concerns the connection; names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: (typeof ORIGIN_BODIES)[number];
}

export function encodeOrigin(origin: Origin): Buffer {
  return Buffer.from(JSON.stringify(origin));
}

export function parseOrigin(bytes: Buffer): Origin {
  return JSON.parse(bytes.toString('utf8')) as Origin;
}

/** The body byte for byte as it was received; null when `data` is not what it was. */
export function originalBody(data: Buffer, { body }: Origin): Buffer | null {
  if (body === 'data') return data;
  if (body === 'changed') return null;
  const value = JSON.parse(data.toString('utf8')) as { text?: unknown; base64?: unknown } | null;
  const kept = body === 'text' ? value?.text : value?.base64;
  return typeof kept === 'string' ? Buffer.from(kept, body === 'text' ? 'utf8' : 'base64') : null;
}
