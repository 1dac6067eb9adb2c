/** Whether Postgres refused a row because of the unique index or constraint of that name (SQLSTATE 23505). */
export function violates(error: unknown, constraint: string): boolean {
  const { code, constraint: violated } = error as { code?: unknown; constraint?: unknown };
  return code === '23505' && violated === constraint;
}
