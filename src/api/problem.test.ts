import { describe, expect, test } from 'vitest';
import { TidingsError } from '../core/errors.ts';
import { renderProblem } from './problem.ts';

describe('problem', () => {
  test('holds what RFC 9457 asks for, the code, and each wrong field', () => {
    const error = new TidingsError('invalid_request', 'This is wrong.', { errors: [{ path: '/a', message: 'wrong' }] });
    expect(JSON.parse(renderProblem(error))).toEqual({
      type: 'urn:tidings:error:invalid_request',
      title: 'The request is not valid',
      status: 400,
      code: 'invalid_request',
      detail: 'This is wrong.',
      errors: [{ path: '/a', message: 'wrong' }],
    });
  });

  test('holds nothing of its cause', () => {
    const error = new TidingsError('unavailable', 'The database cannot be reached.', {
      cause: new Error('at 10.0.0.7'),
    });
    expect(renderProblem(error)).not.toContain('10.0.0.7');
  });
});
