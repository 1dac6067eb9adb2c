import { describe, expect, test } from 'vitest';
import { INITIAL_WINDOW, Window } from './window.ts';

describe('window', () => {
  test('grows by one per success at first, up to its maximum', () => {
    const window = new Window(20);
    expect(window.size).toBe(INITIAL_WINDOW);
    for (let n = 0; n < 100; n++) window.succeeded(1, 'attempts');
    expect(window.size).toBe(20);
  });

  test('halves once for failures that come together, and never below one', () => {
    const window = new Window(64);
    window.halve(1000);
    window.halve(1001);
    expect(window.size).toBe(INITIAL_WINDOW / 2);
    for (let n = 1; n < 20; n++) window.halve(1000 + n * 1000);
    expect(window.size).toBe(1);
  });

  test('grows slowly above the size at which it was halved', () => {
    const window = new Window(1000);
    window.halve(0);
    for (let n = 0; n < INITIAL_WINDOW / 2; n++) window.succeeded(1, 'attempts');
    expect(window.size).toBe(INITIAL_WINDOW / 2);
    window.succeeded(1, 'attempts');
    expect(window.size).toBe(INITIAL_WINDOW / 2 + 1);
  });

  test('begins with one after an outage and doubles again', () => {
    const window = new Window(1000);
    window.restart();
    expect(window.size).toBe(1);
    for (let n = 0; n < 30; n++) window.succeeded(1, 'attempts');
    expect(window.size).toBe(31);
  });

  test('does not grow while it is not full, nor when answers take longer than the endpoint can do', () => {
    const window = new Window(1000);
    for (let n = 0; n < 100; n++) window.succeeded(1, null);
    for (let n = 0; n < 100; n++) window.succeeded(11, 'attempts');
    expect(window.size).toBe(INITIAL_WINDOW);
    for (let n = 0; n < 10; n++) window.succeeded(11, 'outcomes');
    expect(window.size).toBe(INITIAL_WINDOW + 10);
    const far = new Window(1000);
    for (let n = 0; n < 100; n++) far.succeeded(150, 'attempts');
    expect(far.size).toBe(INITIAL_WINDOW + 100);
  });

  test('obeys a smaller maximum at once', () => {
    const window = new Window(100);
    window.max = 4;
    expect(window.size).toBe(4);
    window.max = 50;
    for (let n = 0; n < 100; n++) window.succeeded(1, 'attempts');
    expect(window.size).toBe(50);
  });
});
