// What an endpoint answers is kept with the attempt, for those who may read attempts and must not have the credential. Servers that show
// errors with the request they got would give it away; so what was sent is blotted out of what comes back.

const BLOT = '[credential]';
/** What is shorter is found everywhere, and would blot out the answer. */
const MIN_LENGTH = 6;

/** The texts in which headers of a credential may come back: as they are, without their scheme, decoded, and as JSON escapes them. */
export function echoesOf(headers: Readonly<Record<string, string>>): readonly string[] {
  const texts = new Set<string>();
  for (const value of Object.values(headers)) {
    texts.add(value);
    const [, scheme, token] = /^(Basic|Bearer) (.+)$/.exec(value) ?? [];
    if (token !== undefined) texts.add(token);
    if (scheme === 'Basic') {
      const pair = Buffer.from(token, 'base64').toString();
      texts.add(pair).add(pair.slice(pair.indexOf(':') + 1));
    }
  }
  for (const text of [...texts]) {
    const escaped = JSON.stringify(text).slice(1, -1);
    texts.add(escaped).add(escaped.replaceAll('/', '\\/'));
  }
  const long = [...texts].filter((text) => text.length >= MIN_LENGTH);
  return long.sort((a, b) => b.length - a.length);
}

/** The longest come first, as `echoesOf` gives them. */
export function hideEchoes(text: string, echoes: readonly string[]): string {
  return echoes.reduce((hidden, echo) => hidden.replaceAll(echo, BLOT), text);
}

/** In bytes of any encoding that writes ASCII as ASCII. */
export function hideEchoesInBytes(bytes: Buffer, echoes: readonly string[]): Buffer {
  const text = bytes.toString('latin1');
  const hidden = hideEchoes(
    text,
    echoes.map((echo) => Buffer.from(echo).toString('latin1')),
  );
  return hidden === text ? bytes : Buffer.from(hidden, 'latin1');
}
