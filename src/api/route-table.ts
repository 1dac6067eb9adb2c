// Which methods a path has. fastify routes by method first, so a wrong method looks to it like an unknown path.
interface Route {
  pattern: RegExp;
  method: string;
}

export class RouteTable {
  readonly #routes: Route[] = [];

  /** Takes a route as fastify names it: `/v1/apps/:app`, `/docs/*`. */
  add(methods: string | string[], url: string): void {
    const source = url
      .split('/')
      .map((part) =>
        part === '*' ? '.*' : part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'),
      )
      .join('/');
    for (const method of [methods].flat()) this.#routes.push({ pattern: new RegExp(`^${source}$`), method });
  }

  /** In alphabetical order; empty for an unknown path. */
  methodsOf(path: string): string[] {
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort();
  }
}
