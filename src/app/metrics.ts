// What /metrics shows. Never a label by app or endpoint: their number has no bound.
import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import type { Catalogue } from '../log/catalogue.ts';
import type { EventCache } from '../log/event-cache.ts';
import type { Writer } from '../log/writer.ts';
import type { LogReaders } from '../pull/log-readers.ts';
import type { RenderedLog } from '../pull/rendered-log.ts';
import type { Dispatcher } from '../push/dispatcher.ts';
import type { Ownership } from '../push/ownership.ts';
import { RUN_ENDS, type TransformPool } from '../transform/transform-pool.ts';

export interface Measured {
  writer: Writer;
  dispatcher: Dispatcher;
  cache: EventCache;
  rendered: RenderedLog;
  readers: LogReaders;
  ownership: Ownership;
  catalogue: Catalogue;
  transforms: Pick<TransformPool, 'threadCount' | 'waitingCount' | 'counts' | 'cpuSeconds'>;
}

export function measure(registry: Registry, parts: Measured): void {
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge('tidings_process_pid', 'Id of the process that answers, of several that share a port.', () => process.pid);
  gauge('tidings_writer_queued_bytes', 'Bytes of events that wait for their commit.', () => parts.writer.queuedBytes);
  gauge('tidings_open_attempts', 'Attempts sent and not yet committed.', () => parts.dispatcher.open);
  gauge('tidings_flush_waiting', 'Outcomes that wait for a flush.', () => parts.dispatcher.flusher.waiting);
  gauge('tidings_lanes', 'Lanes in memory.', () => parts.dispatcher.laneCount);
  gauge('tidings_event_cache_bytes', 'Bytes of recent events in memory.', () => parts.cache.bytes);
  gauge('tidings_page_cache_bytes', 'Bytes of recent events as readers get them.', () => parts.rendered.bytes);
  gauge('tidings_log_readers', 'Streams and long polls that follow a log.', () => parts.readers.count);
  gauge('tidings_slots', 'Slots that this process owns, of 256.', () => parts.ownership.slotCount);
  gauge('tidings_moving_slots', 'Slots that this process is handing over.', () => parts.ownership.movingCount);
  gauge('tidings_other_processes', 'Other processes on the database that live.', () => parts.ownership.others.length);
  new Counter({
    name: 'tidings_invalid_events_total',
    help: 'Events whose data did not fit the schema of their type: warned of, or rejected.',
    labelNames: ['validation'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [validation, count] of Object.entries(parts.catalogue.counts)) this.inc({ validation }, count);
    },
  });
  const { transforms } = parts;
  gauge('tidings_transform_threads', 'Threads that run transformations.', () => transforms.threadCount);
  gauge('tidings_transform_waiting', 'Events that wait for a thread to be transformed.', () => transforms.waitingCount);
  new Counter({
    name: 'tidings_transform_runs_total',
    help: 'Events that were transformed, by how it ended.',
    labelNames: ['end'],
    registers: [registry],
    collect() {
      this.reset();
      for (const end of RUN_ENDS) this.inc({ end }, transforms.counts[end]);
    },
  });
  new Counter({
    name: 'tidings_transform_cpu_seconds_total',
    help: 'Processor time that transformations have used.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(transforms.cpuSeconds);
    },
  });
}
