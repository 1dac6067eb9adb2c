/** docs/reference/errors.md from the table of errors. */
export function errorReference(errors) {
  const rows = Object.entries(errors).map(([code, { status, title }]) => `| \`${code}\` | ${status} | ${title} |`);
  return `# Errors

<!-- Generated from src/core/errors.ts by \`npm run generate\`. -->

Every error is answered as \`application/problem+json\` (RFC 9457): \`{type, title, status, code, detail, errors?}\`. Tell errors
apart by \`code\`. \`detail\` says in words what is wrong and what to do; \`errors\` lists each fault of the request with its
path (a JSON Pointer, RFC 6901). An answer with status 503 carries \`Retry-After\` in seconds.

\`unclear\` means that the connection to the database broke during the commit: the request may have been carried out. Repeat
it with the same \`Idempotency-Key\` or event id, and it is carried out once.

| code | status | title |
| --- | --- | --- |
${rows.join('\n')}
`;
}
