// What the platform refuses, in the words of the command line: `--signing` instead of `/signing/0`, and what to run.
import type { Command } from 'commander';
import type { BellwireError, Fault } from '../client/index.ts';

/** Options that are called otherwise in the API: the last name of the pointer, and the option's. */
const OPTIONS: Readonly<Record<string, string>> = {
  schemaCheck: 'check',
  retryDelaysMs: 'retryDelays',
  timeoutMs: 'timeout',
  key: 'order',
  kind: 'order',
  graceMs: 'grace',
  url: 'address',
  scopes: 'scope',
  workspaces: 'for',
  datacontenttype: 'contentType',
  headers: 'header',
  recipients: 'to',
  intervalMs: 'interval',
};

/** A refusal, retold. */
export interface Retold {
  detail: string;
  /** The faults one by one; without a pointer where a word of the command line says it. */
  faults: readonly Fault[];
  /** The command line itself cannot be meant: every fault is about a word of it. */
  isUsage: boolean;
}

/** Retells a refusal to whoever gave this command. */
export function retell({ status, code, detail, errors }: BellwireError, command: Command): Retold {
  const words = errors.map((fault) => wordOf(fault, command));
  const faults = errors.map((fault, at) => renamed(fault, words[at] ?? null));
  const told = errors.findIndex((fault) => detail.startsWith(fault.detail));
  const rest = detail.slice(errors[told]?.detail.length);
  return {
    detail: withAdvice(code, told < 0 ? withAdviceToList(detail, command) : faults[told]?.detail + rest),
    faults,
    isUsage: status === 400 && errors.length > 0 && !words.includes(null),
  };
}

/** The option or argument that was given and that a fault is about, as it is written; null when it is about another thing. */
function wordOf({ pointer = '', index }: Fault, command: Command): string | null {
  if (index !== undefined) return null;
  const names = pointer.split('/').filter((name) => name !== '' && !/^\d+$/.test(name));
  for (const name of names.toReversed()) {
    const argument = command.registeredArguments.find((one) => one.name() === name);
    if (argument !== undefined) return `<${name}>`;
    const key = command.getOptionValueSource(name) === 'cli' ? name : OPTIONS[name];
    const option = command.options.find((one) => one.attributeName() === key);
    if (option?.long && command.getOptionValueSource(option.attributeName()) === 'cli') return option.long;
  }
  return null;
}

function renamed(fault: Fault, word: string | null): Fault {
  const { pointer, detail, ...rest } = fault;
  if (word === null) return fault;
  if (pointer === undefined || !detail.startsWith(pointer)) return { ...rest, detail };
  const unit = pointer.endsWith('Ms') ? ' ms' : '';
  const said = detail.slice(pointer.length).replace(/\.$/, `${unit}.`);
  return { ...rest, detail: word + said.replace(TIME_FORMAT, 'must be a time such as 2026-11-22T09:30:00Z') };
}

const TIME_FORMAT = 'must match format "date-time"';

/** An argument that cannot be the id or name it stands for. */
function withAdviceToList(detail: string, command: Command): string {
  const name = /^There is no \w+ "(.+)" here\.$/.exec(detail)?.[1];
  const at = command.args.findIndex((text) => text === name);
  if (name === undefined || at < 0) return detail;
  const kind = command.registeredArguments[at]?.name() ?? 'name';
  return `"${name}" is no ${kind}; see: bellwire ${command.parent?.name() ?? ''} list`;
}

/** What is wrong, and what to run where that is known. */
export function withAdvice(code: string, detail: string): string {
  if (detail.endsWith('?')) return detail;
  const [, type] = /^There is no event type "([^"\s]+)"/.exec(detail) ?? [];
  if (type === undefined) return detail;
  const words = detail.replace(/\.$/, '');
  return code === 'unknown-type' && !type.endsWith('*')
    ? `${words}; register it with: bellwire types add ${type}`
    : `${words}; see: bellwire types list`;
}
