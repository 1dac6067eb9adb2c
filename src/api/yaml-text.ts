// JSON as YAML that people like to read. Whatever is not plainly a word is written as JSON has it, which YAML takes.

const PLAIN = /^[A-Za-z_$][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$/;
const TAKEN = /^(true|false|null|yes|no|on|off|y|n)$/i;

/** A YAML document. It is read as the same JSON. */
export function writeYaml(value: unknown): string {
  return `${lines(value, '').replace(/^\n/, '')}\n`;
}

/** What follows a key or a dash: a scalar after a space, or lines of their own. */
function lines(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return ` ${scalar(value)}`;
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []';
    const below = `${indent}  `;
    // The first line of what is below stands beside the dash.
    return value.map((item) => `\n${indent}-${lines(item, below).replace(`\n${below}`, ' ')}`).join('');
  }
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  if (entries.length === 0) return ' {}';
  return entries.map(([key, member]) => `\n${indent}${scalar(key)}:${lines(member, `${indent}  `)}`).join('');
}

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return PLAIN.test(value) && !TAKEN.test(value) ? value : JSON.stringify(value);
}
