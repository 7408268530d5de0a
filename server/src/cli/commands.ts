// The commands, in the groups in which the help lists them. What a command needs is loaded with it.
import type { Declare } from './session.ts';

/** A command before it is loaded. */
interface Entry {
  summary: string;
  /** It needs no running platform, and refuses options that name one. */
  alone?: true;
  load: () => Promise<Declare>;
}

// oxfmt-ignore
const GROUPS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  Begin: {
    demo:           { summary: 'Run the platform in dev mode and play one event’s journey', alone: true, load: async () => (await import('./begin/demo.ts')).demo },
    serve:          { summary: 'Run the platform', alone: true, load: async () => (await import('./begin/serve.ts')).serve },
  },
  'Publish and subscribe': {
    services:       { summary: 'The publishers: list, add, rm', load: async () => (await import('./publish/services.ts')).services },
    types:          { summary: 'The event catalog: list, show, put, rm', load: async () => (await import('./publish/event-types.ts')).eventTypes },
    webhooks:       { summary: 'Where events go: add, list, show, change, test, pause …', load: async () => (await import('./publish/webhooks.ts')).webhooks },
    subscribe:      { summary: 'Send a webhook the events of a type', load: async () => (await import('./publish/subscriptions.ts')).subscribe },
    unsubscribe:    { summary: 'End a subscription', load: async () => (await import('./publish/subscriptions.ts')).unsubscribe },
    subscriptions:  { summary: 'List the subscriptions', load: async () => (await import('./publish/subscriptions.ts')).subscriptions },
    publish:        { summary: 'Publish events: one, a file, or a stream of lines', load: async () => (await import('./publish/publish.ts')).publish },
    events:         { summary: 'What was accepted: list, show, tail', load: async () => (await import('./publish/events.ts')).events },
    deliveries:     { summary: 'What became of it: list, show, retry', load: async () => (await import('./publish/deliveries.ts')).deliveries },
    pull:           { summary: 'Fetch what waits for a pull webhook', load: async () => (await import('./publish/pull.ts')).pull },
    operations:     { summary: 'Long actions: list, show, pause, resume, cancel', load: async () => (await import('./publish/operations.ts')).operations },
  },
  'Automate and handle': {
    push:           { summary: 'Push documents of flows and sheets, or see what would change', load: async () => (await import('./automate/push.ts')).push },
    test:           { summary: 'Check documents and play their tests', alone: true, load: async () => (await import('./automate/flow-tests.ts')).flowTests },
    import:         { summary: 'Make a document of a blueprint of Make', alone: true, load: async () => (await import('./automate/import.ts')).importCommand },
    group:          { summary: 'What jobs and post-processings belong to: list, add, rename, rm', load: async () => (await import('./automate/groups.ts')).groups },
    job:            { summary: 'Jobs: list, show, run, log, abort …', load: async () => (await import('./automate/jobs.ts')).jobs },
    policy:         { summary: 'Policy sets: list, show, run, results, history …', load: async () => (await import('./automate/policies.ts')).policies },
    'post-processing': { summary: 'Where jobs and policy sets report to: add, list, test …', load: async () => (await import('./automate/post-processings.ts')).postProcessings },
    scenario:       { summary: 'Scenarios: list, show, run, runs, requests, draft, publish …', load: async () => (await import('./automate/scenarios.ts')).scenarios },
    run:            { summary: 'Runs of jobs and scenarios: show, log, replay, continue, abort', load: async () => (await import('./automate/history.ts')).runCommands },
    request:        { summary: 'Requests to hooks: show, replay', load: async () => (await import('./automate/history.ts')).requestCommands },
    sheet:          { summary: 'Tables that flows write: list, show, rows, export, put, delete', load: async () => (await import('./automate/sheets.ts')).sheets },
    secret:         { summary: 'Secrets of flows: set, list, delete', load: async () => (await import('./automate/secrets.ts')).secrets },
  },
  'Develop against it': {
    listen:         { summary: 'Have a webhook’s requests come to a port of this machine', load: async () => (await import('./develop/listen.ts')).listen },
    inbox:          { summary: 'A request bin in the terminal', load: async () => (await import('./develop/inbox.ts')).inbox },
    trigger:        { summary: 'Fire the example of an event type at a hook or a URL', load: async () => (await import('./develop/trigger.ts')).trigger },
    shapes:         { summary: 'Make structures of samples, or TypeScript types of them', alone: true, load: async () => (await import('./develop/shapes.ts')).shapes },
    challenge:      { summary: 'Ask a handler’s URL for its answer, and judge it', alone: true, load: async () => (await import('./develop/challenge.ts')).challenge },
    'verify-hash':  { summary: 'Compute the answer to a challenge', alone: true, load: async () => (await import('./develop/verify-hash.ts')).verifyHash },
    completion:     { summary: 'The script by which bash, zsh or fish complete commands and names', alone: true, load: async () => (await import('./develop/completion.ts')).completion },
  },
  Operate: {
    top:            { summary: 'How things go, live: rates, backlog, the worst webhooks', load: async () => (await import('./operate/top.ts')).top },
    doctor:         { summary: 'Check settings, store, clock, certificates, disk; say what to do', alone: true, load: async () => (await import('./operate/doctor.ts')).doctor },
    backup:         { summary: 'The whole store as one file, while the platform runs', alone: true, load: async () => (await import('./operate/backup.ts')).backup },
    restore:        { summary: 'Make a store of a backup, or check one', alone: true, load: async () => (await import('./operate/restore.ts')).restore },
    copy:           { summary: 'Copy a store into another place: SQLite to PostgreSQL', alone: true, load: async () => (await import('./operate/copy.ts')).copy },
    keys:           { summary: 'API keys: list, add, rm', load: async () => (await import('./operate/keys.ts')).keys },
    workspaces:     { summary: 'Tenants: list, add, limit, rm', load: async () => (await import('./operate/workspaces.ts')).workspaces },
    erase:          { summary: 'Erase the payloads of one subject', load: async () => (await import('./operate/erasures.ts')).erase },
    erasures:       { summary: 'What was erased: list, show', load: async () => (await import('./operate/erasures.ts')).erasures },
  },
};

/** All of them by name, each with the heading it stands under. */
export const COMMANDS: Readonly<Record<string, Entry & { heading: string }>> = Object.fromEntries(
  Object.entries(GROUPS).flatMap(([heading, entries]) =>
    Object.entries(entries).map(([name, entry]) => [name, { ...entry, heading }]),
  ),
);
