// What load is put on: the server under test, or the floor. Both are published to and sampled alike.

export interface TargetSample {
  processMicros: number;
  /** Null where there is no Postgres, or it runs on another machine. */
  postgresMicros: number | null;
  walBytes: number | null;
}

export interface Target {
  /** `http://host:port` of the API. */
  origin: string;
  headers: Record<string, string>;
  /** Their ids, all of one length. */
  apps: string[];
  sample(): Promise<TargetSample>;
  peakMemoryBytes(): number;
}

/** The path that events of an app, or batches of them, are published to. */
export function publishPath(app: string, eventsPerRequest: number): string {
  return `/v1/apps/${app}/events${eventsPerRequest > 1 ? '/batch' : ''}`;
}
