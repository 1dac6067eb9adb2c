// docs/reference/formats.md is what the formats make.
import { describe, expect, test } from 'vitest';
import { standardBody } from '../src/core/envelope.ts';
import { compileFormat } from '../src/core/formats/compile-format.ts';
import { FORMAT_NAMES, normaliseFormat } from '../src/core/formats/endpoint-format.ts';
import { TEMPLATE_LIMITS } from '../src/core/formats/liquid-template.ts';
import { formattedEvent } from './formatted-event.ts';
import { codeBlocks, readDocument } from './markdown.ts';

const REFERENCE = readDocument('docs/reference/formats.md');
const [, ...SECTIONS] = REFERENCE.split('\n## ');
const [{ code: DATA }] = codeBlocks(REFERENCE);
const EVENT = formattedEvent(null, { json: DATA.trim(), id: 'evt_1', appId: 'app_1', channels: ['eu', 'vip'] });
const OPTIONS: Record<string, object> = {
  telegram: { chatId: '@example' },
  template: { body: '{{ data.title }}', contentType: 'text/plain' },
};

const sectionOf = (name: string): string => SECTIONS.find((section) => section.startsWith(`\`${name}\`\n`)) ?? '';

describe('reference of formats', () => {
  test('has a section for each format', () => {
    const names = SECTIONS.flatMap((section) => /^`(\w+)`\n/.exec(section)?.[1] ?? []);
    expect(names.sort()).toEqual([...FORMAT_NAMES].sort());
  });

  test.each(FORMAT_NAMES.filter((name) => name !== 'template'))('shows what %s makes of the event', (name) => {
    const format = compileFormat(normaliseFormat({ name, ...OPTIONS[name] }), 'https://events.example.com');
    const { body, contentType } = format?.one(EVENT) ?? { body: standardBody(EVENT), contentType: 'application/json' };
    expect(codeBlocks(sectionOf(name))[0].code.trimEnd()).toBe(body.toString());
    const row = REFERENCE.split('\n').find(
      (line) => line.startsWith('| `') && line.split('|')[1].includes(`\`${name}\``),
    );
    expect(row).toContain(`\`${contentType}\``);
  });

  test('says the limits of templates', () => {
    const number = (value: number): string => value.toLocaleString('en-US');
    const { source, steps, memory } = TEMPLATE_LIMITS;
    const limits = REFERENCE.slice(REFERENCE.indexOf('| limit |'));
    for (const limit of [source, steps, memory]) expect(limits).toContain(`| ${number(limit)}`);
  });
});
