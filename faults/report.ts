// What is left of a run: a row for each fault, a table for people and JSON for programs.
import { formatNumber, renderTable } from '../bench/table.ts';
import type { Verdict } from './scenario.ts';

export interface ReportRow {
  name: string;
  outcome: 'survived' | 'not survived' | 'not run';
  seconds: number;
  /** Null when it was not run or broke off. */
  verdict: Verdict | null;
  /** Why it was not survived, or not run. */
  problems: string[];
}

export interface Report {
  form: 'short' | 'full';
  survived: number;
  notSurvived: number;
  notRun: number;
  scenarios: ReportRow[];
}

export function summarise(form: Report['form'], scenarios: ReportRow[]): Report {
  const count = (outcome: ReportRow['outcome']) => scenarios.filter((row) => row.outcome === outcome).length;
  return { form, survived: count('survived'), notSurvived: count('not survived'), notRun: count('not run'), scenarios };
}

/** The table, then the problems, then one line with the counts. */
export function renderReport(report: Report): string {
  const { survived, notSurvived, notRun, scenarios } = report;
  const table = renderTable({
    title: `faults survived: ${survived}/${scenarios.length} (${report.form} form)`,
    columns: ['outcome', 'acknowledged', 'delivered', 'duplicates', 'bound', 'seconds'],
    rows: scenarios.map(({ name, outcome, seconds, verdict }) => {
      const { acknowledged = null, delivered = null, duplicates = null, bound = null } = verdict ?? {};
      const counts = [acknowledged, delivered, duplicates, bound].map((value) => formatNumber(value));
      return { label: name, cells: [outcome, ...counts, formatNumber(seconds, 1)] };
    }),
  });
  const problems = scenarios
    .filter((row) => row.problems.length > 0)
    .map(
      (row) => `${row.name}: ${row.outcome}\n${row.problems.map((problem) => `  - ${indent(problem)}`).join('\n')}\n`,
    );
  return [table, ...problems, `${survived} survived, ${notSurvived} not survived, ${notRun} not run`].join('\n');
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n    ');
}
