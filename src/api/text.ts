// Texts that callers choose. Postgres keeps no U+0000 and UTF-8 has no lone surrogate: both are refused rather than changed.
import { z } from 'zod';
import { checkUid } from '../core/endpoint-config.ts';

export const MAX_NAME_CHARS = 256;
const MAX_METADATA_ENTRIES = 50;
const MAX_METADATA_KEY_CHARS = 64;
const MAX_METADATA_VALUE_CHARS = 500;

function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

/** A text of up to so many characters (UTF-16 units). */
export function text(limits: { min?: number; max: number }) {
  return z
    .string()
    .min(limits.min ?? 0)
    .max(limits.max)
    .refine(isStorable, 'A text must hold no U+0000 and no lone surrogate.');
}

/** The caller's own name for a thing, in place of its id. */
export const Uid = z
  .string()
  .superRefine((uid, refinement) => {
    for (const { message } of checkUid(uid)) refinement.addIssue({ code: 'custom', message });
  })
  .describe(
    "The caller's own name for it, usable in paths in place of the id: 1 to 128 of the characters A-Z a-z 0-9 . _ -",
  );

export const Metadata = z
  .record(text({ min: 1, max: MAX_METADATA_KEY_CHARS }), text({ max: MAX_METADATA_VALUE_CHARS }))
  .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA_ENTRIES, {
    message: `Metadata has at most ${MAX_METADATA_ENTRIES} entries.`,
  });

export const Time = z.iso.datetime().describe('RFC 3339, UTC.');

/** As `Time` shows it. */
export function timeText(ms: number): string;
export function timeText(ms: number | null): string | null;
export function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
