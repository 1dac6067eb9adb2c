//#region stamped-data.ts
const SEQUENCE_DIGITS = 10;
const MICROS_DIGITS = 16;
const PREFIX = "{\"n\":\"";
const MIDDLE = "\",\"atUs\":\"";
const NEEDLE = Buffer.from(PREFIX);
const ZERO = 48;
/** A JSON object of exactly `bytes` bytes with both stamps at zero. */
function stampedData(bytes) {
	const head = `${PREFIX}${"0".repeat(SEQUENCE_DIGITS)}${MIDDLE}${"0".repeat(MICROS_DIGITS)}","fill":"`;
	const fillBytes = bytes - head.length - 2;
	if (fillBytes < 0) throw new Error(`Stamped data takes at least ${head.length + 2} bytes, not ${bytes}.`);
	let seed = 20261121;
	let fill = "";
	for (let i = 0; i < fillBytes; i++) {
		seed = seed * 48271 % 2147483647;
		fill += String.fromCharCode(97 + seed % 26);
	}
	return `${head}${fill}"}`;
}
/** The places of the stamps of all events in a body made from stampedData. */
function findStamps(body) {
	const places = [];
	for (let at = body.indexOf(NEEDLE); at >= 0; at = body.indexOf(NEEDLE, at + 1)) places.push(at + NEEDLE.length);
	return places;
}
function writeStamp(body, place, stamp) {
	writeDigits(body, place, SEQUENCE_DIGITS, stamp.sequence);
	writeDigits(body, place + SEQUENCE_DIGITS + 10, MICROS_DIGITS, Math.round(stamp.publishedAtMs * 1e3));
}
/** Where the first stamp in `bytes` from `from` on stands; -1 when there is none. */
function findStamp(bytes, from) {
	const at = bytes.indexOf(NEEDLE, from);
	return at < 0 ? -1 : at + NEEDLE.length;
}
function readSequence(bytes, place) {
	return readDigits(bytes, place, SEQUENCE_DIGITS);
}
function readPublishedAtMs(bytes, place) {
	return readDigits(bytes, place + SEQUENCE_DIGITS + 10, MICROS_DIGITS) / 1e3;
}
function writeDigits(bytes, place, digits, value) {
	let rest = value;
	for (let i = place + digits - 1; i >= place; i--) {
		const next = Math.floor(rest / 10);
		bytes[i] = ZERO + (rest - next * 10);
		rest = next;
	}
}
function readDigits(bytes, place, digits) {
	let value = 0;
	for (let i = place; i < place + digits; i++) value = value * 10 + (bytes[i] - ZERO);
	return value;
}
//#endregion
export { findStamp, findStamps, readPublishedAtMs, readSequence, stampedData, writeStamp };

//# sourceMappingURL=stamped-data.js.map