import { describe, expect, test } from 'vitest';
import { AnswerFramer, type FramedAnswer } from './answer-framer.ts';

function answersOf(text: string, chunkBytes: number): (Omit<FramedAnswer, 'beginning'> & { beginning: string })[] {
  const answers: ReturnType<typeof answersOf> = [];
  const framer = new AnswerFramer((answer) => answers.push({ ...answer, beginning: answer.beginning.toString() }));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) framer.push(bytes.subarray(at, at + chunkBytes));
  return answers;
}

describe('answer framer', () => {
  const page = `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\ntidings-cursor: abc\r\ntidings-done: false\r\n\r\n${'x'.repeat(5000)}`;
  const end = 'HTTP/1.1 304 Not Modified\r\netag: W/"1"\r\n\r\n';
  const empty = 'HTTP/1.1 200 OK\r\ntidings-done: true\r\ncontent-length: 0\r\ntidings-cursor: d\r\n\r\n';

  test.each([1, 7, 100, 100_000])('takes answers apart in pieces of %i bytes', (chunkBytes) => {
    expect(answersOf(page + end + empty + page, chunkBytes)).toEqual([
      { status: 200, cursor: 'abc', done: false, bodyBytes: 5000, beginning: 'x'.repeat(2048) },
      { status: 304, cursor: '', done: false, bodyBytes: 0, beginning: '' },
      { status: 200, cursor: 'd', done: true, bodyBytes: 0, beginning: '' },
      { status: 200, cursor: 'abc', done: false, bodyBytes: 5000, beginning: 'x'.repeat(2048) },
    ]);
  });

  test('refuses what it does not understand', () => {
    expect(() => answersOf('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', 100)).toThrow('content-length');
  });
});
