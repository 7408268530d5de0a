// The rules of a policy set, as a document says them: where resources come from, and how each is judged.
import { AWS_TYPES, type AwsSource, type HttpSource, type Resources, type Rule, type Source } from '../definition.ts';
import { checkTemplates, expressionOf } from './expressions.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { choiceOf, describe, fieldsOf, isGiven, itemsOf, jsonOf, textOf, type Fields } from './fields.ts';
import type { Value } from './source.ts';

const MAX_RULES = 200;
const RULE_FIELDS = ['rule', 'description', 'resources', 'applies', 'compliant', 'detail'];
const KINDS = ['inline', 'file', 'http', 'aws'] as const;
const MAX_URL = 8_192;

/** What stands beside the kind of a source, by kind. */
const BESIDE: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  inline: [],
  file: ['each'],
  http: ['headers', 'each', 'next'],
  aws: ['regions', 'credentials', 'endpoint'],
};

/** Reads the rules of a policy set; `at` is where they are missing when there are none. */
export function readRules(value: Value | null, at: Span, faults: Faults): readonly Rule[] {
  if (value?.kind !== 'list' || value.items.length === 0) {
    const found = isGiven(value) ? `, not ${describe(value)}` : '';
    faults.add(isGiven(value) ? value : at, `a policy set needs rules: a list of them${found}`, ['rules']);
    return [];
  }
  if (value.items.length > MAX_RULES) faults.add(value, `a policy set has at most ${MAX_RULES} rules`);
  const names = new Set<string>();
  return value.items.flatMap((item) => {
    const rule = readRule(item, faults);
    if (rule !== null && names.has(rule.name)) faults.add(item, `the rule "${rule.name}" is there twice`);
    if (rule !== null) names.add(rule.name);
    return rule ?? [];
  });
}

function readRule(value: Value, faults: Faults): Rule | null {
  const fields = fieldsOf(value, 'a rule', RULE_FIELDS, faults);
  if (fields === null) return null;
  const need = (name: string, words: string): Value | null => {
    const given = fields.value(name);
    if (isGiven(given)) return given;
    faults.add(fields.at, `a rule needs ${words}`, [name]);
    return null;
  };
  const named = need('rule', 'rule: its name');
  const source = need('resources', 'resources: what it judges');
  const verdict = need('compliant', 'compliant: an expression that is true for what complies');
  const name = named === null ? null : textOf(named, 'rule', faults);
  const resources = source === null ? null : readResources(source, faults);
  const compliant = verdict === null ? null : expressionOf(verdict, 'compliant', { faults });
  const description = fields.value('description');
  const applies = fields.value('applies');
  const rest = {
    description: (isGiven(description) ? textOf(description, 'description', faults, { max: 2_000 }) : null) ?? '',
    applies: isGiven(applies) ? expressionOf(applies, 'applies', { faults }) : null,
    detail: template(fields, 'detail', faults),
  };
  return name === null || resources === null || compliant === null ? null : { name, resources, compliant, ...rest };
}

// oxlint-disable-next-line max-params -- the last is rarely said
function template(fields: Fields, name: string, faults: Faults, max = 1_000): string | null {
  const value = fields.value(name);
  if (!isGiven(value)) return null;
  checkTemplates(value, name, { faults });
  return textOf(value, name, faults, { max });
}

function readResources(value: Value, faults: Faults): Resources | null {
  if (value.kind === 'list') {
    return { from: { kind: 'inline', items: value.items.map(jsonOf) }, id: 'id', name: null };
  }
  if (value.kind !== 'map') {
    faults.add(value, `resources must be a map with one of ${KINDS.join(', ')}, not ${describe(value)}`, KINDS);
    return null;
  }
  const kinds = KINDS.filter((kind) => value.entries.some(({ name }) => name === kind));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1) {
    const words = kind === undefined ? 'resources need one of' : 'resources come from one of';
    const strange = value.entries.find(({ name }) => !ALL_FIELDS.includes(name));
    const message =
      strange === undefined ? `${words} ${KINDS.join(', ')}` : notOneOf('source of resources', strange.name, KINDS);
    faults.add(strange?.at ?? value, message, KINDS);
    return null;
  }
  const fields = fieldsOf(value, 'resources', [kind, ...BESIDE[kind], 'id', 'name'], faults);
  const from = fields === null ? null : readSource(kind, fields, faults);
  if (fields === null || from === null) return null;
  const id = fields.value('id');
  const name = fields.value('name');
  return {
    from,
    id: (isGiven(id) ? expressionOf(id, 'id', { faults }) : null) ?? 'id',
    name: isGiven(name) ? expressionOf(name, 'name', { faults }) : null,
  };
}

const ALL_FIELDS: readonly string[] = [...KINDS, ...Object.values(BESIDE).flat(), 'id', 'name'];

function readSource(kind: (typeof KINDS)[number], fields: Fields, faults: Faults): Source | null {
  const value = fields.value(kind) as Value;
  const each = fields.value('each');
  if (kind === 'inline') {
    if (value.kind === 'list') return { kind, items: value.items.map(jsonOf) };
    faults.add(value, `inline must be a list of resources, not ${describe(value)}`);
    return null;
  }
  if (kind === 'file') {
    const path = textOf(value, 'file', faults, { max: 1_024 });
    return path === null ? null : { kind, path, each: isGiven(each) ? expressionOf(each, 'each', { faults }) : null };
  }
  return kind === 'http' ? readHttp(value, fields, faults) : readAws(value, fields, faults);
}

function readHttp(value: Value, fields: Fields, faults: Faults): HttpSource | null {
  checkTemplates(value, 'http', { faults });
  const url = textOf(value, 'http', faults, {
    max: MAX_URL,
    pattern: /^(?:https?:\/\/|\$\{)/i,
    looks: 'must be a URL that begins with http:// or https://',
  });
  const given = fields.value('headers');
  const headers: [string, string][] = [];
  if (isGiven(given)) checkTemplates(given, 'headers', { faults });
  if (given?.kind === 'map') {
    for (const { name, value: inner } of given.entries) {
      const text = textOf(inner, `headers.${name}`, faults, { max: 8_192 });
      if (text !== null) headers.push([name, text]);
    }
  } else if (isGiven(given)) faults.add(given, `headers must be a map of names, not ${describe(given)}`);
  const each = fields.value('each');
  const next = fields.value('next');
  const source: Omit<HttpSource, 'url'> = {
    kind: 'http',
    headers: Object.fromEntries(headers),
    each: (isGiven(each) ? expressionOf(each, 'each', { faults }) : null) ?? 'body',
    next: isGiven(next) ? expressionOf(next, 'next', { faults }) : null,
  };
  return url === null ? null : { ...source, url };
}

function readAws(value: Value, fields: Fields, faults: Faults): AwsSource | null {
  const type = choiceOf(value, 'AWS resource', { words: AWS_TYPES, faults });
  const listed = itemsOf(fields.value('regions'));
  if (listed.length === 0) faults.add(fields.at, 'aws needs regions, such as [eu-central-1]', ['regions']);
  const rule = { max: 64, pattern: /^[a-z]{2}(?:-[a-z]+)+-\d$/, looks: 'must be a region such as eu-central-1' };
  const regions = listed.flatMap((one) => textOf(one, 'a region', faults, rule) ?? []);
  const credentials = fields.value('credentials');
  const source: Omit<AwsSource, 'type'> = {
    kind: 'aws',
    regions,
    credentials: isGiven(credentials) ? readCredentials(credentials, faults) : null,
    endpoint: template(fields, 'endpoint', faults, MAX_URL),
  };
  return type === null ? null : { ...source, type };
}

function readCredentials(value: Value, faults: Faults): AwsSource['credentials'] {
  const fields = fieldsOf(value, 'credentials', ['accessKeyId', 'secretAccessKey', 'sessionToken'], faults);
  if (fields === null) return null;
  for (const name of ['accessKeyId', 'secretAccessKey']) {
    if (!isGiven(fields.value(name))) faults.add(fields.at, `credentials need ${name}`, [name]);
  }
  const secret = fields.value('secretAccessKey');
  if (secret?.kind === 'scalar' && typeof secret.value === 'string' && !secret.value.includes('${')) {
    faults.add(secret, 'a secret does not stand in a document: name it, as in ${ secret.AWS_SECRET_KEY }');
  }
  const accessKeyId = template(fields, 'accessKeyId', faults);
  const secretAccessKey = template(fields, 'secretAccessKey', faults);
  const sessionToken = template(fields, 'sessionToken', faults, 4_096);
  if (accessKeyId === null || secretAccessKey === null) return null;
  return { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };
}
