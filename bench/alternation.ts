// Two conditions measured in turns, so that both meet the machine in the same moods: first one, then the other, and the other way round in
// the next round, as what comes second in a round meets a warmer process and fuller tables.

export interface Alternation<A, B> {
  rounds: number;
  first(round: number): Promise<A>;
  second(round: number): Promise<B>;
}

/** What each condition gave, in the order of the rounds. */
export async function alternate<A, B>(plan: Alternation<A, B>): Promise<{ first: A[]; second: B[] }> {
  const first: A[] = [];
  const second: B[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    if (round % 2 === 0) first.push(await plan.first(round));
    second.push(await plan.second(round));
    if (round % 2 === 1) first.push(await plan.first(round));
  }
  return { first, second };
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
