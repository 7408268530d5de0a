// `bellwire publish`: one event from options, a document, or a stream of lines.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { addAbortSignal } from 'node:stream';
import type { NewEvent, RawEvent } from '../../client/index.ts';
import { usage } from '../failure.ts';
import { readBytes, reasonOf } from '../input.ts';
import { publishInput, showAccepted, type Input } from './publish-lines.ts';
import { collect, type Declare, type Session } from '../session.ts';

export interface PublishOptions {
  type?: string;
  data?: string;
  example?: string;
  source?: string;
  id?: string;
  subject?: string;
  time?: string;
  contentType?: string;
  attribute?: readonly string[];
  keepGoing?: boolean;
}

export const publish: Declare = (command, run) => {
  command
    .argument('[file]', 'CloudEvents: one, a JSON array, or one per line (NDJSON); - or nothing is stdin')
    .option('--type <type>', 'Publish one event of this type, made from these options')
    .option('--data <json>', 'Its data; @file takes them from a file, @- from stdin')
    .option('--example <type>', 'Publish the example that the catalog has for a type')
    .option('--source <uri>', 'Its source (urn:bellwire:cli)')
    .option('--id <id>', 'Its id; random when left out')
    .option('--subject <text>', 'Its subject')
    .option('--time <time>', 'Its time, RFC 3339; now when left out')
    .option('--content-type <type>', 'Of the data (application/json)')
    .option('--attribute <name=value>', 'A further attribute; repeatable', collect)
    .option('--keep-going', 'Of a stream of lines, leave out those that are refused and go on')
    .addHelpText('after', '\nExit code 0 means: every event and all its deliveries are on disk.')
    .action(run(start));
};

async function start(session: Session, options: PublishOptions, [file]: [string?]): Promise<number | void> {
  if (options.type === undefined && options.example === undefined) {
    if (options.data !== undefined) throw usage('--data needs --type: what kind of event is it?');
    return publishInput(session, await openInput(file, session), options.keepGoing === true);
  }
  if (file !== undefined) throw usage(`publish takes a file or --type, not both: ${file}`);
  const client = await session.client();
  const event = options.example === undefined ? await compose(options, session) : await exampleOf(options, session);
  showAccepted(session, await client.events.publish(event, { signal: session.signal }));
}

async function openInput(file: string | undefined, { terminal, signal }: Session): Promise<Input> {
  if (file === undefined || file === '-') {
    if (terminal.stdin.isTTY === true && file === undefined) {
      throw usage(
        'publish needs a file, lines on stdin, --type with --data, or --example; see: bellwire publish --help',
      );
    }
    return { input: addAbortSignal(signal, terminal.stdin), size: null };
  }
  const path = resolve(terminal.folder, file);
  try {
    const { size } = await stat(path);
    return { input: addAbortSignal(signal, createReadStream(path)), size };
  } catch (error) {
    throw usage(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

const DEFAULT_SOURCE = 'urn:bellwire:cli';

function attributesOf(options: PublishOptions): NewEvent {
  const extensions = (options.attribute ?? []).map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at < 1) throw usage(`--attribute takes name=value, not "${text}"`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return {
    ...Object.fromEntries(extensions),
    type: options.type ?? options.example ?? '',
    source: options.source ?? DEFAULT_SOURCE,
    time: options.time ?? new Date().toISOString(),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(options.subject === undefined ? {} : { subject: options.subject }),
  };
}

/** Binary mode: the data's own bytes arrive, whatever numbers are in them. */
async function compose(options: PublishOptions, { terminal, signal }: Session): Promise<NewEvent | RawEvent> {
  const attributes = attributesOf(options);
  const { data } = options;
  if (data === undefined) return attributes;
  const bytes = data.startsWith('@') ? await readBytes(data.slice(1), terminal, signal) : data;
  const datacontenttype = options.contentType ?? 'application/json';
  if (/^application\/(?:.*\+)?json\b/i.test(datacontenttype)) checkJson(bytes.toString());
  return { attributes: { ...attributes, datacontenttype }, data: bytes };
}

function checkJson(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw usage(`--data is not JSON: ${(error as Error).message}; for other data add --content-type text/plain`);
  }
}

async function exampleOf(options: PublishOptions, { client, signal }: Session): Promise<NewEvent> {
  const name = options.example as string;
  const { example } = await (await client()).eventTypes.get(name, { signal });
  if (example === null) throw usage(`the catalog has no example for ${name}: give --type ${name} --data '{…}' instead`);
  return { ...attributesOf({ ...options, type: name }), datacontenttype: 'application/json', data: example };
}
