//#region histogram.ts
const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
const OCTAVES = 24;
const MAX_MICROS = 2 ** (SUB_BITS + OCTAVES) - 1;
var Histogram = class Histogram {
	#counts = new Uint32Array(SUB_BUCKETS * (OCTAVES + 1));
	#count = 0;
	#maxMs = 0;
	get count() {
		return this.#count;
	}
	get maxMs() {
		return this.#maxMs;
	}
	record(ms) {
		this.#counts[bucketOf(ms)]++;
		this.#count++;
		if (ms > this.#maxMs) this.#maxMs = ms;
	}
	/** The least value in ms that `percent` of the recorded values do not exceed, to within 1 %; NaN when empty. */
	percentile(percent) {
		if (this.#count === 0) return NaN;
		const rank = Math.max(1, Math.ceil(percent / 100 * this.#count));
		let seen = 0;
		for (let i = 0; i < this.#counts.length; i++) {
			seen += this.#counts[i];
			if (seen >= rank) return Math.min(upperMicrosOf(i) / 1e3, this.#maxMs);
		}
		return this.#maxMs;
	}
	summary() {
		return {
			p50: this.percentile(50),
			p99: this.percentile(99),
			max: this.#count === 0 ? NaN : this.#maxMs
		};
	}
	clear() {
		this.#counts.fill(0);
		this.#count = 0;
		this.#maxMs = 0;
	}
	toData() {
		const buckets = [];
		for (let i = 0; i < this.#counts.length; i++) if (this.#counts[i] > 0) buckets.push([i, this.#counts[i]]);
		return {
			count: this.#count,
			maxMs: this.#maxMs,
			buckets
		};
	}
	static fromData(data) {
		const histogram = new Histogram();
		for (const [index, count] of data.buckets) histogram.#counts[index] = count;
		histogram.#count = data.count;
		histogram.#maxMs = data.maxMs;
		return histogram;
	}
};
function bucketOf(ms) {
	const micros = Math.min(MAX_MICROS, Math.max(0, Math.round(ms * 1e3)));
	if (micros < SUB_BUCKETS) return micros;
	const octave = 31 - Math.clz32(micros) - SUB_BITS;
	return (octave + 1) * SUB_BUCKETS + ((micros >> octave) - SUB_BUCKETS);
}
function upperMicrosOf(index) {
	if (index < SUB_BUCKETS) return index;
	const octave = Math.floor(index / SUB_BUCKETS) - 1;
	return (index % SUB_BUCKETS + SUB_BUCKETS + 1) * 2 ** octave - 1;
}
//#endregion
export { Histogram };

//# sourceMappingURL=histogram.js.map