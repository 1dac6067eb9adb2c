const EVIDENCE = {
  vector: 'a signature that the vendor published is reproduced by a test',
  library: 'a test signs with the vendor’s own package, or has it verify',
  source: 'the vendor’s source code or specification was read',
  documentation: 'the vendor’s documentation was read',
  catalogue: 'lists of others that agree; compare with the vendor’s documentation before you rely on it',
};

/** docs/reference/providers.md from the table of providers. */
export function providerReference(providers, commonOptions) {
  const rows = providers.map(({ id, name, evidence }) => `| [${name}](#${id}) | \`${id}\` | ${evidence} |`);
  const common = Object.entries(commonOptions).map(([name, { doc }]) => `| \`${name}\` | ${doc} |`);
  return `# Providers

<!-- Generated from src/inbound/provider-table.ts by \`npm run generate\`. -->

Whose webhooks a source of kind \`webhook\` receives and verifies: give the id as its \`provider\`. A source may have several
secrets at once while they are rotated; any of them is good. \`tidings sources providers\` prints this list.

The event's type is the provider's id, a dot and the first of the places below that a request has: \`github.push\`. What has
no id there is deduplicated by the hash of its body.

How each was checked is said in a word:

| word | means |
| --- | --- |
${Object.entries(EVIDENCE)
  .map(([word, means]) => `| ${word} | ${means} |`)
  .join('\n')}

Every provider takes these options besides its own:

| option | |
| --- | --- |
${common.join('\n')}

| provider | id | checked |
| --- | --- | --- |
${rows.join('\n')}

${providers.map(section).join('\n')}`;
}

function section(provider) {
  const { id, name, docs, evidence, checked, verifies, secret, options, handshakes, methods, note } = provider;
  const within = provider.answerWithinSeconds === null ? '' : ` (it waits ${provider.answerWithinSeconds} s)`;
  const lines = [
    ...verifies.map((words) => `- Verified: ${words}`),
    `- Secret: ${secret}`,
    ...options.map((option) => `- Option \`${option.name}\`${option.required ? ' (required)' : ''}: ${option.doc}`),
    ...handshakes.map((handshake) => `- Handshake ${handshake.name}: ${handshake.words}`),
    `- Type: ${provider.eventType.join(', else ')}`,
    `- Id: ${[...provider.eventId, 'the body’s hash'].join(', else ')}`,
    ...(methods.length === 1 && methods[0] === 'POST' ? [] : [`- Methods: ${methods.join(', ').replace('*', 'any')}`]),
    `- Answer: ${provider.answer}${within}`,
    `- Checked: ${evidence}. ${checked}`,
    `- Documentation: <${docs}>`,
    ...(note === null ? [] : [`- Note: ${note}`]),
  ];
  return `<a id="${id}"></a>\n\n## ${name}\n\n${lines.join('\n')}\n`;
}
