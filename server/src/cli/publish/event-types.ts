// `bellwire types`: the catalog of event types.
import type { EventTypeIn, EventTypeOut } from '../../api/event-types.ts';
import { usage } from '../failure.ts';
import { readInput } from '../input.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';

const COLUMNS: readonly Column<EventTypeOut>[] = [
  { head: 'TYPE', of: ({ type }) => type, least: 20, keepEnd: true },
  { head: 'SERVICE', of: ({ service }) => service ?? '–', least: 8 },
  { head: 'CHECK', of: ({ schema, schemaCheck }) => (schema === null ? '–' : schemaCheck) },
  {
    head: 'DESCRIPTION',
    of: ({ description, deprecation }) => (deprecation === null ? description : `deprecated: ${deprecation}`),
    style: ({ deprecation }) => (deprecation === null ? undefined : 'yellow'),
    least: 6,
    optional: true,
  },
];

interface PutOptions {
  service?: string;
  description?: string;
  schema?: string;
  check?: string;
  example?: string;
  deprecation?: string;
}

export const eventTypes: Declare = (command, run) => {
  command
    .command('list')
    .description('List the catalog')
    .option('--service <service>', 'Only the types of this service')
    .action(run(list));
  command.command('show <type>').description('Show a type with its schema and example').action(run(show));
  command
    .command('put <type> [file]')
    .alias('add')
    .description('Register or replace a type; options stand above the file (JSON or YAML, - is stdin)')
    .option('--service <service>', 'The service that publishes it; the type then belongs to the installation')
    .option('--description <text>', 'What it means when such an event happens')
    .option('--schema <file>', 'JSON Schema 2020-12 of the data')
    .option('--check <mode>', 'off, warn or block events that break the schema (block)')
    .option('--example <file>', 'An example of the data')
    .option('--deprecation <text>', 'Why it is deprecated and what to use instead')
    .action(run(put));
  command.command('rm <type>').description('Delete a type that no subscription names').action(run(remove));
};

const list = lister<EventTypeOut, { service?: string }>({
  find: ({ eventTypes: all }, { service, signal }) => all.list({ service, signal }),
  columns: COLUMNS,
  none: 'The catalog is empty: bellwire types add <type>',
});

async function show(session: Session, _options: object, [name]: [string]): Promise<void> {
  const { client, signal } = session;
  const type = await (await client()).eventTypes.get(name, { signal });
  session.show(type, () => [
    ...session.facts({
      type: type.type,
      service: type.service,
      owner: type.owner,
      description: type.description,
      deprecated: type.deprecation,
      check: type.schema === null ? 'there is no schema' : type.schemaCheck,
      updated: type.updatedAt,
    }),
    ...document(session, 'schema', type.schema),
    ...document(session, 'example', type.example),
  ]);
}

function document({ paint }: Session, name: string, value: unknown): string[] {
  return value === null ? [] : ['', paint('dim', name), ...JSON.stringify(value, null, 2).split('\n')];
}

async function put(session: Session, options: PutOptions, [name, file]: [string, string?]): Promise<void> {
  const { client, signal, terminal } = session;
  const { service, description, check, deprecation } = options;
  const said = file === undefined ? {} : await readInput(file, terminal, signal);
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw usage(`${file} must hold an object`);
  const body = {
    ...said,
    ...given({ service, description, schemaCheck: check, deprecation }),
    ...(options.schema === undefined ? {} : { schema: await readInput(options.schema, terminal, signal) }),
    ...(options.example === undefined ? {} : { example: await readInput(options.example, terminal, signal) }),
  };
  // Whether it is one is judged by the platform, which says what is wrong field by field.
  const type = await (await client()).eventTypes.put(name, body as EventTypeIn, { signal });
  session.show(type, () => [`${type.type} is in the catalog`]);
}

function given(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}

async function remove(session: Session, _options: object, [name]: [string]): Promise<void> {
  const { client, signal } = session;
  await (await client()).eventTypes.delete(name, { signal });
  session.show({ deleted: name }, () => [`${name} is gone`]);
}
