export function buildProduct(): Promise<void>;
export function buildBench(): Promise<void>;
