// How a template's outputs are escaped, by what the template makes: so that no value of an event can end the string, element or field
// that it stands in.

export const ESCAPES = ['none', 'json', 'markup', 'form', 'csv'] as const;
export type EscapeName = (typeof ESCAPES)[number];

export function escapeFor(contentType: string): EscapeName | null {
  const type = contentType.split(';')[0].trim().toLowerCase();
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  if (type === 'application/xml' || type === 'text/xml' || type === 'text/html' || type.endsWith('+xml'))
    return 'markup';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  if (type === 'text/csv') return 'csv';
  return type === 'text/plain' || type === 'text/markdown' ? 'none' : null;
}

/** As the inside of a JSON string. */
export function escapeJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

// XML 1.0, section 2.2: what no document may hold, not even as a reference.
const NO_XML_CHARACTERS = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Cs}/gu;
const MARKUP: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** As text or attribute of XML and HTML; what XML cannot hold is U+FFFD. */
export function escapeMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => MARKUP[character]).replaceAll(NO_XML_CHARACTERS, '\ufffd');
}

/** As a name or value of a form (WHATWG URL, application/x-www-form-urlencoded). */
export function escapeForm(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

export const ESCAPE: Readonly<Record<EscapeName, (text: string) => string>> = {
  none: (text) => text,
  json: escapeJson,
  markup: escapeMarkup,
  form: escapeForm,
  csv: (text) => text.replaceAll('"', '""'),
};
