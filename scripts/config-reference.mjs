/** docs/reference/config.md from the table of options. */
export function configReference(options, formatValue) {
  const sections = options.map((option) => {
    const none = option.kind === 'secret' ? 'none, as a command line is seen by every user of the machine' : 'none';
    const flag = option.flag === null ? none : code(option.flag);
    const range =
      option.range === undefined
        ? ''
        : `- Range: ${formatValue(option, option.range[0])} to ${formatValue(option, option.range[1])}\n`;
    return `## ${option.key}\n\n${option.doc}\n\n- Flag: ${flag}\n- Variable: ${code(option.env)}\n- Default: ${formatValue(option, option.default)}\n${range}`;
  });
  return `# Options

<!-- Generated from src/app/config.ts by \`npm run generate\`. -->

A value is taken from the flag, else from the environment variable, else it is the default. Sizes are a number of bytes or
carry a unit: \`64MiB\`. Switches are \`true\` or \`false\` as a variable. \`tidings <command> --help\` shows which options a
command takes.

${sections.join('\n')}`;
}

function code(text) {
  return `\`${text}\``;
}
