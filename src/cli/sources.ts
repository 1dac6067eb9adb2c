import type { Command } from 'commander';
import { loadConfig } from '../app/config.ts';
import { type ProviderSummary, summarizeProvider } from '../inbound/provider-summary.ts';
import { PROVIDERS } from '../inbound/provider-table.ts';
import { addConfigOptions, flagsOf } from './config-options.ts';
import { UsageError } from './failure.ts';
import { painter } from './paint.ts';

const EXAMPLES = `
Examples:
  tidings sources providers              the id, name and scheme of each provider
  tidings sources providers stripe       all about one: secret, options, handshakes, where type and id come from
  tidings sources providers --json       print {"providers": […]}`;

export function addSourcesCommand(program: Command): void {
  const sources = program
    .command('sources')
    .summary('what events can come in from')
    .description('What events can come in from.');
  sources.addHelpText('after', EXAMPLES);
  const command = sources
    .command('providers')
    .summary('list the providers whose webhooks are verified')
    .description('List the providers whose webhooks a source can receive and verify, and how each was checked.')
    .argument('[provider]', 'the id of one, to be told all about it');
  addConfigOptions(command, ['json'])
    .addHelpText('after', EXAMPLES)
    .action((id: string | undefined) => {
      const { json } = loadConfig({ flags: flagsOf(command) });
      const listed = PROVIDERS.filter((provider) => id === undefined || provider.id === id).map(summarizeProvider);
      if (listed.length === 0) {
        throw new UsageError(`There is no provider ${id}. tidings sources providers lists those that there are.`);
      }
      if (json) process.stdout.write(`${JSON.stringify({ providers: listed })}\n`);
      else process.stdout.write(id === undefined ? providerTable(listed) : providerText(listed[0]));
    });
}

function providerTable(providers: readonly ProviderSummary[]): string {
  const paint = painter(process.stdout);
  const width = Math.max(...providers.map(({ id }) => id.length));
  const nameWidth = Math.max(...providers.map(({ name }) => name.length));
  const evidenceWidth = Math.max(...providers.map(({ evidence }) => evidence.length));
  const rows = providers.map(({ id, name, evidence, verifies }) =>
    [
      paint('bold', id.padEnd(width)),
      name.padEnd(nameWidth),
      paint('dim', evidence.padEnd(evidenceWidth)),
      plain(verifies.join('; or ')),
    ].join('  '),
  );
  return `${rows.join('\n')}\n`;
}

function providerText(provider: ProviderSummary): string {
  const paint = painter(process.stdout);
  const { options, handshakes, eventType, eventId, answerWithinSeconds, note } = provider;
  const lines: [label: string, text: string][] = [
    ['docs', provider.docs],
    ['checked', provider.checked],
    ...provider.verifies.map((words): [string, string] => ['verifies', words]),
    ['secret', provider.secret],
    ...options.map(({ name, required, doc }): [string, string] => [
      'option',
      `${name} (${required ? 'required' : 'optional'}): ${doc}`,
    ]),
    ...handshakes.map(({ name, words }): [string, string] => ['handshake', `${name}: ${words}`]),
    ['type', eventType.join(', else ')],
    ['id', [...eventId, 'the body’s hash'].join(', else ')],
    ['answer', `${provider.answer}${answerWithinSeconds === null ? '' : `, within ${answerWithinSeconds} s`}`],
    ...(note === null ? [] : [['note', note] as [string, string]]),
  ];
  const width = Math.max(...lines.map(([label]) => label.length));
  const text = lines.map(([label, words]) => `${paint('dim', label.padEnd(width))}  ${plain(words)}`);
  return `${paint('bold', `${provider.name} (${provider.id})`)}\n${text.join('\n')}\n`;
}

function plain(markdown: string): string {
  return markdown.replaceAll('`', '');
}
