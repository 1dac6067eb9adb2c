//#region http-framer.ts
const HEAD_END = Buffer.from("\r\n\r\n");
const FRAMING = /\r\n(?:content-length:[ \t]*(\d+)|(transfer-encoding):)/i;
const MAX_HEAD_BYTES = 65536;
var HttpFramer = class {
	#onFrame;
	#held = [];
	#heldBytes = 0;
	/** Bytes the held frame is known to need in all; 0 while its head is not complete. */
	#needed = 0;
	constructor(onFrame) {
		this.#onFrame = onFrame;
	}
	/** Takes what came in; the chunk may be overwritten after the call. @throws Error when the framing is not understood. */
	push(chunk) {
		let bytes = chunk;
		if (this.#heldBytes > 0) {
			this.#hold(chunk);
			if (this.#heldBytes < this.#needed) return;
			bytes = Buffer.concat(this.#held, this.#heldBytes);
			this.#held = [];
			this.#heldBytes = 0;
		}
		let start = 0;
		while (start < bytes.length) {
			const headEnd = bytes.indexOf(HEAD_END, start);
			if (headEnd < 0) {
				if (bytes.length - start > MAX_HEAD_BYTES) throw new Error(`An HTTP head is longer than ${MAX_HEAD_BYTES} bytes.`);
				this.#needed = 0;
				break;
			}
			const bodyStart = headEnd + HEAD_END.length;
			const end = bodyStart + bodyLength(bytes.toString("latin1", start, headEnd));
			if (end > bytes.length) {
				this.#needed = end - start;
				break;
			}
			this.#onFrame(bytes, start, bodyStart, end);
			start = end;
		}
		if (start < bytes.length) this.#hold(bytes.subarray(start));
	}
	#hold(piece) {
		this.#held.push(Buffer.from(piece));
		this.#heldBytes += piece.length;
	}
};
function bodyLength(head) {
	const framing = FRAMING.exec(head);
	if (framing?.[1] !== void 0) return Number(framing[1]);
	if (framing?.[2] !== void 0) throw new Error("An HTTP body is framed by transfer-encoding, which is not understood here.");
	const status = head.startsWith("HTTP/") ? Number(head.slice(9, 12)) : 0;
	if (status >= 200 && status !== 204 && status !== 304) throw new Error(`A response with status ${status} has no content-length.`);
	return 0;
}
//#endregion
export { HttpFramer };

//# sourceMappingURL=http-framer.js.map