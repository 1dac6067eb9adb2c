import { describe, expect, test } from 'vitest';
import { isRole, ROLES } from './role.ts';

describe('role', () => {
  test('is one of the list, written exactly so', () => {
    expect(ROLES.every(isRole)).toBe(true);
    expect(['', 'API', 'pull', 'api,push'].filter(isRole)).toEqual([]);
  });
});
