import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testIds } from '../../test/event-log.ts';
import { type StoredApp, storedApp } from '../../test/stored-app.ts';
import { until } from '../../test/until.ts';
import { slotOf } from '../core/endpoint.ts';
import { TidingsError } from '../core/errors.ts';
import { uuidFromId } from '../core/id.ts';
import { type Command, commandFailure, enqueueCommand } from '../storage/commands.ts';
import { type CommandHandler, CommandPoll } from './command-poll.ts';

let app: StoredApp;
let endpointId: string;
const polls: CommandPoll[] = [];
beforeEach(async () => {
  app = await storedApp();
  endpointId = await app.anEndpoint();
});
afterEach(async () => {
  await Promise.all(polls.splice(0).map((poll) => poll.stop()));
  await app.close();
});

function setup(more: { handler?: CommandHandler; slots?: Set<number>; everyMs?: number } = {}) {
  const { slots = new Set([slotOf(uuidFromId('endpoint', endpointId))]), everyMs = 10 } = more;
  const done: string[] = [];
  const errors: unknown[] = [];
  const lease = { maySend: true };
  const handler: CommandHandler = async (command) => {
    await more.handler?.(command);
    done.push(command.commandUuid);
  };
  const poll = new CommandPoll({
    db: app.db,
    ownership: { owns: (slot) => slots.has(slot), heldSlots: () => slots, maySend: () => lease.maySend },
    handlers: { resend: handler, test: handler },
    onError: (error) => errors.push(error),
    options: { everyMs },
  });
  polls.push(poll);
  return { poll, done, errors, slots, lease };
}

async function aCommand(more: Partial<Command> = {}): Promise<Command> {
  const slot = slotOf(uuidFromId('endpoint', endpointId));
  const commandUuid = testIds.uuid();
  const command: Command = {
    slot,
    commandUuid,
    appId: app.appId,
    endpointId,
    kind: 'resend',
    payload: { n: 1 },
    ...more,
  };
  await enqueueCommand(app.db, command);
  return command;
}

const left = async () => (await app.sql('SELECT 1 FROM commands')).length;

describe('command poll', () => {
  test('carries a command out once, and deletes it', async () => {
    const seen: Command[] = [];
    const { poll, done } = setup({ handler: async (command) => void seen.push(command) });
    const command = await aCommand();
    await poll.start();
    await until(async () => (await left()) === 0);
    await delay(50);
    expect(done).toEqual([command.commandUuid]);
    expect(seen).toEqual([command]);
  });

  test('several polls carry out those of their own slots', async () => {
    const slot = slotOf(uuidFromId('endpoint', endpointId));
    const [owner, other] = [setup(), setup({ slots: new Set([(slot + 1) % 256]) })];
    const command = await aCommand();
    const foreign = await aCommand({ slot: (slot + 2) % 256 });
    await Promise.all([owner.poll.start(), other.poll.start()]);
    await until(() => owner.done.length === 1);
    expect(owner.done).toEqual([command.commandUuid]);
    expect(other.done).toEqual([]);
    await until(async () => (await left()) === 1); // nobody owns the other's slot: it waits
    other.slots.add(foreign.slot);
    await until(() => other.done.length === 1);
  });

  test('looks at once when it is hinted', async () => {
    const { poll, done } = setup({ everyMs: 60_000 });
    await poll.start();
    await aCommand();
    poll.soon();
    await until(() => done.length === 1);
  });

  test('one that cannot be carried out stays with the reason, and is not tried again', async () => {
    let tries = 0;
    const { poll } = setup({
      handler: async () => {
        tries++;
        throw new TidingsError('address_forbidden', 'The address is forbidden.');
      },
    });
    const command = await aCommand();
    await poll.start();
    await until(async () => (await commandFailure(app.db, command)) !== null);
    expect(await commandFailure(app.db, command)).toEqual({
      code: 'address_forbidden',
      detail: 'The address is forbidden.',
    });
    await delay(50);
    expect(tries).toBe(1);
  });

  test('tries again after a fault that is not the command’s', async () => {
    let tries = 0;
    const { poll, errors } = setup({
      handler: async () => {
        if (++tries < 3) throw new Error('the connection broke');
      },
    });
    await aCommand();
    await poll.start();
    await until(async () => (await left()) === 0);
    expect(errors).toHaveLength(2);
  });

  test('begins nothing without a lease', async () => {
    const { poll, done, lease } = setup();
    lease.maySend = false;
    await aCommand();
    await poll.start();
    await delay(60);
    expect(done).toEqual([]);
    lease.maySend = true;
    await until(() => done.length === 1);
  });

  test('leaves a kind that it does not know, and drops what is an hour old', async () => {
    const { poll, done } = setup();
    await aCommand({ kind: 'replays' });
    const old = await aCommand();
    await app.sql(`UPDATE commands SET created_at = now() - interval '61 minutes' WHERE command_id = $1`, [
      old.commandUuid,
    ]);
    await poll.start();
    await until(async () => (await left()) === 1);
    expect(done).toEqual([]);
  });

  test('lets go of a slot when what it carries out there has ended', async () => {
    let begin = (): void => {};
    let finish = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const { poll, done, slots } = setup({
      handler: async () => {
        begin();
        await finished;
      },
    });
    const { slot } = await aCommand();
    await poll.start();
    await begun;
    slots.delete(slot);
    let released = false;
    const releasing = poll.release([slot]).then(() => {
      released = true;
    });
    await poll.release([(slot + 1) % 256]); // nothing of this one is under way
    expect(released).toBe(false);
    finish();
    await releasing;
    expect(done).toHaveLength(1);
    expect(await left()).toBe(0);
  });
});
