import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Whether text on this stream may have colour: a terminal that knows it, and nobody set NO_COLOR. */
export function hasColor(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && stream.hasColors();
}

/** Styles text for a stream, or leaves it as it is. */
export function painter(stream: NodeJS.WriteStream): (format: Format, text: string) => string {
  return hasColor(stream) ? (format, text) => styleText(format, text) : (_format, text) => text;
}
