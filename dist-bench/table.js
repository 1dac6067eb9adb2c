//#region table.ts
function renderTable(table) {
	const lines = [["", ...table.columns], ...table.rows.map(({ label, cells }) => [label, ...cells])];
	const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
	const body = lines.map((line) => line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("  ").trimEnd());
	const notes = (table.notes ?? []).map((note) => `  ${note}`);
	return [
		table.title,
		"",
		...body.map((line) => `  ${line}`),
		...notes.length > 0 ? ["", ...notes] : [],
		""
	].join("\n");
}
/** 12345.6 → `12,346`; with `decimals` 1 → `12,345.6`; a dash for what was not measured. */
function formatNumber(value, decimals = 0) {
	if (value === null || Number.isNaN(value)) return "–";
	return value.toLocaleString("en-US", {
		minimumFractionDigits: decimals,
		maximumFractionDigits: decimals
	});
}
/** For JSON: rounded, and null for what was not measured. */
function roundTo(value, decimals = 0) {
	if (value === null || Number.isNaN(value)) return null;
	const factor = 10 ** decimals;
	return Math.round(value * factor) / factor;
}
//#endregion
export { formatNumber, renderTable, roundTo };

//# sourceMappingURL=table.js.map