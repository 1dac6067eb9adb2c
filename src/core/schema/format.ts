// The formats that are checked; all others are only told. Each is a test in linear time, on purpose simpler than the RFC where that would not
// matter to anybody.
import { parseTime } from '../time.ts';

const DATE = /^\d{4}-\d\d-\d\d$/;
const TIME = /^\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;
const DURATION = /^P(\d+W|(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
const LOCAL_PART = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const OCTET = /^(0|[1-9]\d{0,2})$/;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const URI_CHARACTERS = /^([a-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9a-f]{2})*$/i;
const POINTER = /^(\/([^~/]|~0|~1)*)*$/;

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => LABEL.test(label));
}

function isIpv4(text: string): boolean {
  const octets = text.split('.', 5);
  return octets.length === 4 && octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255);
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const [before, after, more] = text.split('::', 3);
  if (more !== undefined) return false;
  const groups = [before, after ?? ''].flatMap((part) => (part === '' ? [] : part.split(':')));
  let count = groups.length;
  const last = groups.at(-1);
  if (last?.includes('.')) {
    if (!isIpv4(last) || text.endsWith('::')) return false;
    groups.pop();
    count++;
  }
  return groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) && (after === undefined ? count === 8 : count <= 7);
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@');
  return at > 0 && at <= 64 && LOCAL_PART.test(text.slice(0, at)) && isHostname(text.slice(at + 1));
}

export const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['date-time', (text) => parseTime(text) !== null],
  ['date', (text) => DATE.test(text) && parseTime(`${text}T00:00:00Z`) !== null],
  ['time', (text) => TIME.test(text) && parseTime(`2000-01-01T${text}`) !== null],
  ['duration', (text) => DURATION.test(text)],
  ['email', isEmail],
  ['hostname', isHostname],
  ['ipv4', isIpv4],
  ['ipv6', isIpv6],
  ['uri', (text) => SCHEME.test(text) && URI_CHARACTERS.test(text)],
  ['uri-reference', (text) => URI_CHARACTERS.test(text)],
  ['uuid', (text) => UUID.test(text)],
  ['json-pointer', (text) => POINTER.test(text)],
]);
