// What load is put on: the server under test, or the floor. Both are published to and sampled alike.

export interface TargetSample {
  processMicros: number;
  /** Null where there is no Postgres, or it runs on another machine. */
  postgresMicros: number | null;
  walBytes: number | null;
}

export interface Target {
  origin: string;
  headers: Record<string, string>;
  /** The path that events, or batches of them, are published to. */
  publishPath: (eventsPerRequest: number) => string;
  sample(): Promise<TargetSample>;
  peakMemoryBytes(): number;
}

export function publishPath(app: string): Target['publishPath'] {
  return (eventsPerRequest) => `/v1/apps/${app}/events${eventsPerRequest > 1 ? '/batch' : ''}`;
}
