// What takes in requests to sources, put together for one process.
import type { IdGenerator } from '../core/id.ts';
import type { SecretBox } from '../core/secret-box.ts';
import { CertificateStore } from '../inbound/certificate-store.ts';
import { Ingest } from '../inbound/ingest.ts';
import { learnSecret } from '../inbound/learn-secret.ts';
import { RequestLog } from '../inbound/request-log.ts';
import { SourceDirectory } from '../inbound/source-directory.ts';
import type { SourceTransforms } from '../inbound/source-transforms.ts';
import { buildVisit } from '../inbound/visit.ts';
import type { Writer } from '../log/writer.ts';
import type { AddressRules } from '../net/address-guard.ts';
import type { Database } from '../storage/database.ts';

export interface InboundParts {
  db: Database;
  box: SecretBox;
  ids: IdGenerator;
  rules: AddressRules;
  writer: Writer;
  transforms: SourceTransforms;
  onError: (error: unknown) => void;
}

/** `requests` is to be started before the first request is received, and stopped after the last. */
export function buildInbound({ db, box, ids, rules, writer, transforms, onError }: InboundParts): {
  ingest: Ingest;
  requests: RequestLog;
} {
  const now = Date.now;
  const visit = buildVisit({ rules });
  const directory = new SourceDirectory({ db, box, now });
  const requests = new RequestLog({ db, now, onError });
  const ingest = new Ingest({
    directory,
    requests,
    certificates: new CertificateStore({ visit, now }),
    transforms,
    append: (request) => writer.append(request),
    newId: (kind) => ids.id(kind),
    now,
    learnSecret: async ({ source }, secret) => {
      await learnSecret(db, box, { source, secret, secretUuid: ids.uuid() });
      directory.forget(source.id);
    },
    visit,
    onError,
  });
  return { ingest, requests };
}
