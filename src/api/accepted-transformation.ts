// Code that is given to an endpoint is loaded once before it is stored: what cannot be compiled, or exports no function, is refused with its line.
import { TidingsError } from '../core/errors.ts';
import { describeError } from '../core/transformation.ts';
import type { ApiContext } from './context.ts';
import { invalidFields } from './problem.ts';

/** @throws TidingsError `invalid_request`, `too_many_requests`, `overloaded` */
export async function acceptTransformation(
  { transforms }: Pick<ApiContext, 'transforms'>,
  appId: string,
  code: string | null,
): Promise<void> {
  if (code === null) return;
  const queue = `${appId} test`;
  checkRoom(transforms, queue);
  const failure = await transforms.check({ appId: queue, code });
  if (failure === null) return;
  if ('unavailable' in failure) throw notRun(failure.unavailable);
  const message = `The code cannot be loaded: ${describeError(failure.error)}`;
  throw invalidFields([{ path: '/transform', message }]);
}

/** What is tried out has a share of the processor of its own: it takes nothing from what is sent. @throws TidingsError `too_many_requests` */
export function checkRoom(transforms: ApiContext['transforms'], queue: string): void {
  if (transforms.hasRoom(queue, null)) return;
  throw new TidingsError(
    'too_many_requests',
    'Transformations that were tried out have used up their share of the processor for now. Try again in a few seconds.',
    { retryAfterSeconds: 2 },
  );
}

export function notRun(why: string): TidingsError {
  return new TidingsError('overloaded', `The transformation could not be run: ${why}. Try again.`, {
    retryAfterSeconds: 1,
  });
}
