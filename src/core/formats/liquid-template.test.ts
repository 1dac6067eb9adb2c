import { describe, expect, test, vi } from 'vitest';
import { formattedEvent } from '../../../test/formatted-event.ts';
import { Template, templateFault, templateVariables } from './liquid-template.ts';
import { escapeJson } from './output-escape.ts';

const plain = (text: string): string => text;

function render(source: string, data: unknown = {}, json?: string, escapeText = plain): string {
  return new Template(source, escapeText).render(templateVariables([formattedEvent(data, { json })]));
}

describe('liquid template', () => {
  test('knows the event and its data', () => {
    const source =
      '{{ type }} {{ id }} {{ time }} {{ position }} {{ app }} {{ channels | join: "+" }} {{ data.a.b }} {{ events.size }}';
    const event = formattedEvent({ a: { b: 1 } }, { channels: ['x', 'y'] });
    expect(new Template(source, plain).render(templateVariables([event]))).toBe(
      `invoice.paid ${event.id} 2026-11-21T10:00:00.000Z 7 ${event.appId} x+y 1 1`,
    );
  });

  test('has tags and filters of Liquid', () => {
    const source =
      '{% for line in data.lines %}{% if line.n > 1 %}{{ forloop.index }}:{{ line.sku | upcase }}{% endif %}{% endfor %}';
    expect(
      render(source, {
        lines: [
          { n: 1, sku: 'a' },
          { n: 2, sku: 'b' },
        ],
      }),
    ).toBe('2:B');
    expect(render('{{ time | date: "%d %b %Y" }}')).toBe('21 Nov 2026');
    expect(render('{{ data.none | default: "-" }}{{ data.list | sort | join }}', { list: ['b', 'a'] })).toBe('-a b');
  });

  test('keeps the digits of numbers, calculates and compares with them', () => {
    const json = '{"price":12.50,"big":12345678901234567890}';
    const source =
      '{{ data.price }} {{ data.big }} {{ data.price | times: 2 }} {% if data.price > 12 %}more{% endif %} {{ data | json }}';
    expect(render(source, null, json)).toBe(`12.50 12345678901234567890 25 more ${json}`);
  });

  test('escapes what it takes from the event, and not the text around it', () => {
    const source = '{"text":"{{ data.text }}","all":{{ data | json }}}';
    const data = { text: '"}\n{{ id }}' };
    expect(JSON.parse(render(source, data, undefined, escapeJson))).toEqual({ text: data.text, all: data });
  });

  test('reaches nothing but the event', () => {
    for (const path of ['data.constructor', 'data.__proto__', 'data.list.constructor', 'data.text.constructor.name']) {
      expect(render(`[{{ ${path} }}]`, { list: [], text: 'x' }), path).toBe('[]');
    }
    for (const tag of ['render "x"', 'include "/etc/passwd"', 'layout "x"']) {
      expect(() => render(`{% ${tag} %}`), tag).toThrow('tag');
    }
    expect(() => render('{{ "now" | date: "%Y" }}')).toThrow('another time in every attempt');
  });

  test('is refused with its place and what is wrong', () => {
    expect(templateFault('{{ type }}', plain)).toBe(null);
    expect(templateFault('a\n {% if x %}', plain)).toMatch(/line 2, column 2: .*not closed/);
    expect(templateFault('{{ x.y }}', plain)).toMatch(/line 1, column \d+: there is no variable x; there are id, type/);
    expect(templateFault('{{ type | nothing }}', plain)).toContain('undefined filter: nothing');
    expect(templateFault('x'.repeat(16_385), plain)).toContain('at most 16384');
    expect(templateFault('{% if true %}'.repeat(1200), plain)).toMatch(/not closed|nested too deeply/);
  });

  test('ends within its limits whatever it does', () => {
    const data = {
      s: 'ab '.repeat(300),
      l: Array.from({ length: 300 }, (_, i) => i),
      o: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, { a: i }])),
    };
    const loop = (inner: string): string => `{% for i in (1..10000) %}${inner}{% endfor %}`;
    const bombs = [
      '{% for i in (1..1000000000) %}{% endfor %}',
      '{% for i in (1..1000) %}{% for j in (1..1000) %}{% endfor %}{% endfor %}',
      '{% for i in data.l %}{% for j in data.l %}{% for k in data.l %}{{ k }}{% endfor %}{% endfor %}{% endfor %}',
      `{% assign a = "x" %}${'{% assign a = a | append: a %}'.repeat(400)}`,
      '{% assign a = "x" %}{% for i in (1..100) %}{% capture a %}{{ a }}{{ a }}{% endcapture %}{% endfor %}',
      '{% assign a = (1..1000) %}{% for i in (1..100) %}{% assign a = a | concat: a %}{% endfor %}',
      '{% tablerow i in (1..1000000) cols:1 %}x{% endtablerow %}',
      loop('{% assign a = data.l | sort_natural %}'),
      loop('{% assign a = data.o | group_by: "a" %}'),
      loop('{% assign a = data.l | where: "a", 1 %}'),
      loop('{{ time | date: "%c %A", "America/New_York" }}'),
      loop(`{% if ${Array(1000).fill('i == 1').join(' or ')} %}x{% endif %}`),
      loop(`{% case i %}${'{% when 7 %}a'.repeat(800)}{% endcase %}`),
      loop(`{{ 1${' | plus: 1'.repeat(1500)} }}`),
      loop(`{{ data${'["x"]'.repeat(2500)} }}`),
      loop('{{ data | json }}'),
      loop('{% for m in data.o %}{% break %}{% endfor %}'),
      loop('{% assign x = data.s | replace: "", data.s %}'),
    ];
    for (const bomb of bombs) {
      expect(() => render(bomb, data), bomb.slice(0, 80)).toThrow(
        /needs more than \d+ (steps|characters and elements)/,
      );
    }
  });

  test('that takes too long fails for the time being', () => {
    let nowMs = 0;
    const now = vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 300));
    try {
      const failing = () => render('{% for i in (1..20) %}{{ i }}{% endfor %}');
      expect(failing).toThrow(
        expect.objectContaining({ isPassing: true, message: expect.stringContaining('takes more than 2000 ms') }),
      );
    } finally {
      now.mockRestore();
    }
    expect(() => render('{% for i in (1..100000) %}{{ i }}{% endfor %}')).toThrow(
      expect.objectContaining({ isPassing: false }),
    );
  });

  test('needs the same whenever it is rendered', () => {
    const template = new Template('{% for i in (1..2000) %}{{ i }}{% endfor %}', plain);
    const variables = templateVariables([formattedEvent({})]);
    const first = template.render(variables);
    for (let i = 0; i < 10; i++) expect(template.render(variables)).toBe(first);
  });
});
