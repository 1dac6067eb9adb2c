// What one process asks of the owner of a lane, by slot (design rule 12). A command is deleted once it is carried out; one that cannot be stays
// with the reason, for whoever waits for it. After an hour nobody does.
import { idFromUuid, uuidFromId } from '../core/id.ts';
import type { Query, Queryable } from './database.ts';

export const COMMAND_KINDS = ['resend', 'test', 'forget-retry', 'replays'] as const;
export type CommandKind = (typeof COMMAND_KINDS)[number];

const EXPIRES_AFTER = `interval '1 hour'`;
const MAX_AT_ONCE = 200;

export interface Command {
  slot: number;
  commandUuid: string;
  appId: string;
  endpointId: string;
  kind: CommandKind;
  /** By kind: see app/command-handlers.ts. */
  payload: Record<string, unknown>;
}

const ENQUEUE = {
  name: 'enqueue_command',
  text: `
INSERT INTO commands (slot, command_id, app_id, endpoint_id, kind, payload, created_at)
VALUES ($1, $2, $3, $4, $5, $6, now())`,
} satisfies Query;

export async function enqueueCommand(db: Queryable, command: Command): Promise<void> {
  const { slot, commandUuid, appId, endpointId, kind, payload } = command;
  const [appUuid, endpointUuid] = [uuidFromId('app', appId), uuidFromId('endpoint', endpointId)];
  await db.query(ENQUEUE, [slot, commandUuid, appUuid, endpointUuid, kind, JSON.stringify(payload)]);
}

const WAITING = {
  name: 'waiting_commands',
  text: `
SELECT slot, command_id, app_id, endpoint_id, kind, payload FROM commands
WHERE slot = ANY ($1::smallint[]) AND kind = ANY ($2::text[]) AND NOT payload ? 'failure' AND created_at > now() - ${EXPIRES_AFTER}
ORDER BY command_id LIMIT ${MAX_AT_ONCE}`,
} satisfies Query;

/** Those that wait to be carried out, oldest first, of these slots and kinds. */
export async function waitingCommands(
  db: Queryable,
  slots: readonly number[],
  kinds: readonly string[],
): Promise<Command[]> {
  const rows = await db.query<{
    slot: number;
    command_id: string;
    app_id: string;
    endpoint_id: string;
    kind: CommandKind;
    payload: Record<string, unknown>;
  }>(WAITING, [slots, kinds]);
  return rows.map((row) => ({
    slot: row.slot,
    commandUuid: row.command_id,
    appId: idFromUuid('app', row.app_id),
    endpointId: idFromUuid('endpoint', row.endpoint_id),
    kind: row.kind,
    payload: row.payload,
  }));
}

type CommandPlace = Pick<Command, 'slot' | 'commandUuid'>;

const DELETE = {
  name: 'delete_command',
  text: `DELETE FROM commands WHERE slot = $1 AND command_id = $2 RETURNING 1`,
} satisfies Query;

/** Whether it was still there. */
export async function deleteCommand(db: Queryable, { slot, commandUuid }: CommandPlace): Promise<boolean> {
  return (await db.query(DELETE, [slot, commandUuid])).length > 0;
}

/** As a TidingsError has it. */
export interface CommandFailure {
  code: string;
  detail: string;
}

const FAIL = {
  name: 'fail_command',
  text: `UPDATE commands SET payload = payload || jsonb_build_object('failure', $3::jsonb) WHERE slot = $1 AND command_id = $2`,
} satisfies Query;

/** It cannot be carried out: it is not tried again, and says why. */
export async function failCommand(
  db: Queryable,
  { slot, commandUuid }: CommandPlace,
  failure: CommandFailure,
): Promise<void> {
  await db.query(FAIL, [slot, commandUuid, JSON.stringify(failure)]);
}

const FAILURE = {
  name: 'command_failure',
  text: `SELECT payload -> 'failure' AS failure FROM commands WHERE slot = $1 AND command_id = $2`,
} satisfies Query;

/** Why it could not be carried out; null while it waits, and when it is gone. */
export async function commandFailure(
  db: Queryable,
  { slot, commandUuid }: CommandPlace,
): Promise<CommandFailure | null> {
  const [row] = await db.query<{ failure: CommandFailure | null }>(FAILURE, [slot, commandUuid]);
  return row?.failure ?? null;
}

const DELETE_EXPIRED = {
  name: 'delete_expired_commands',
  text: `DELETE FROM commands WHERE slot = ANY ($1::smallint[]) AND created_at < now() - ${EXPIRES_AFTER}`,
} satisfies Query;

export async function deleteExpiredCommands(db: Queryable, slots: readonly number[]): Promise<void> {
  await db.query(DELETE_EXPIRED, [slots]);
}
