// Modules of Make as steps: one step for each, and one that does nothing where there is no counterpart.
import { actionFault } from '../actions.ts';
import type { Json } from '../definition.ts';
import { fieldsOf, pairsOf, textOf, type Module } from './read.ts';
import { stepName, variablesOf, type Scope, type Told } from './scope.ts';

/** A step as a document has it. */
export type DocumentStep = { [field: string]: Json };

type Convert = (module: Module, told: Told, scope: Scope) => DocumentStep;

const CONVERT: Readonly<Record<string, Convert>> = {
  'util:SetVariable2': setVariables,
  'util:SetVariable': setVariables,
  'util:SetVariables': setVariables,
  'gateway:WebhookRespond': reply,
  'google-sheets:addRow': addRow,
  'http:ActionSendData': http,
  'http:ActionSendDataBasicAuth': http,
  'http:MakeRequest': http,
  'json:ParseJSON': ({ mapper, ...module }, told) => ({
    set: { [nameOf(module)]: `\${ parseJson(${told.expression(textOf(mapper['json'])).code}) }` },
  }),
  'json:CreateJSON': (module, told) => ({ set: { [stepName(module)]: told.template(module.mapper) } }),
  'json:TransformToJSON': (module, told) => ({ set: { [stepName(module)]: told.template(module.mapper['object']) } }),
  'util:ComposeString': ({ mapper, ...module }, told) => ({
    set: { [nameOf(module)]: told.template(mapper['value'] ?? mapper['text']) },
  }),
  'util:Switcher': switcher,
  'util:FunctionSleep': ({ mapper }, told) => {
    const seconds = textOf(mapper['duration']);
    return { wait: /^\d+$/.test(seconds) ? `${seconds}s` : `${told.text(seconds)}s` };
  },
  'email:ActionSendEmail': mail,
  'google-email:ActionSendEmail': mail,
  'google-email:sendAnEmail': mail,
  'builtin:Throw': ({ mapper }, told) => ({ fail: told.template(mapper['message']) || 'failed' }),
};

/** Modules that read what is at hand here anyway: no step stands for them. */
export const NEEDLESS = new Set(['util:GetVariable', 'util:GetVariable2', 'util:GetVariables', 'builtin:BasicMerge']);

/** The step for a module that has no part in the tree. */
export function stepOf(module: Module, scope: Scope): DocumentStep {
  const told = scope.at(module);
  const convert = Object.hasOwn(CONVERT, module.kind) ? CONVERT[module.kind] : undefined;
  if (convert !== undefined) return convert(module, told, scope);
  told.lost(
    'there is no step for this kind of module',
    'a noop stands in its place: put an http step there, or another',
  );
  return { name: stepName(module), noop: {} };
}

function nameOf(module: Pick<Module, 'kind' | 'id'>): string {
  return stepName(module as Module);
}

function setVariables(module: Module, told: Told, scope: Scope): DocumentStep {
  const values = variablesOf(module).map(([name, value]) => [scope.variable(name), told.template(value)]);
  return { set: Object.fromEntries(values) as Json };
}

function reply({ mapper }: Module, told: Told): DocumentStep {
  const written = textOf(mapper['status']).trim() || '200';
  const status = /^\d{3}$/.test(written) ? Number(written) : told.template(written);
  const headers = Object.fromEntries(
    pairsOf(mapper['headers']).map(([name, value]) => [name.toLowerCase(), told.template(value)]),
  );
  const body = told.text(mapper['body']);
  return {
    reply: {
      status,
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
      ...(body === '' ? {} : { body }),
    },
  };
}

/* ── Sheets ─────────────────────────────────────────────────────────────────────────────────────────────────── */

function addRow(module: Module, told: Told, scope: Scope): DocumentStep {
  const { mapper, parameters } = module;
  const given = (name: string): string => textOf(mapper[name] ?? parameters[name]).trim();
  const to = given('sheetId') || given('sheetName') || `sheet ${module.id}`;
  const spreadsheet = given('spreadsheetId');
  scope.sheets.set(to, spreadsheet);
  told.lost(
    'the spreadsheet at Google, and the account that writes to it',
    `the sheet "${to}" is one of Bellwire’s own now; docs/make.md shows how to name the one at Google instead`,
  );
  const values = fieldsOf(mapper['values']);
  const row = Object.entries(values).map(([column, value]) => [columnOf(column), told.text(value)]);
  return { name: stepName(module), 'sheet.append': { to, row: Object.fromEntries(row) as Json } };
}

/** Blueprints number columns from 0; others are titles. */
function columnOf(name: string): string {
  if (!/^\d{1,4}$/.test(name)) return name;
  let letters = '';
  for (let rest = Number(name); rest >= 0; rest = Math.floor(rest / 26) - 1) {
    letters = String.fromCharCode(65 + (rest % 26)) + letters;
  }
  return letters;
}

/* ── HTTP and mail ──────────────────────────────────────────────────────────────────────────────────────────── */

/** Headers whose values let somebody in. */
const CREDENTIALS = /^(?:authorization|cookie|x-api-key|api-key|apikey|.*-(?:token|secret|key))$/i;

function http(module: Module, told: Told): DocumentStep {
  const { mapper, parameters } = module;
  const method = (textOf(mapper['method']) || 'get').toUpperCase();
  const headers = headersOf(module, told);
  const content = contentOf(mapper, told);
  if (content.type !== null && !('content-type' in headers)) headers['content-type'] = content.type;
  const input: { [name: string]: Json } = {
    url: `${told.text(mapper['url'])}${queryOf(module, told)}`,
    method,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...content.fields,
    // Make takes any answer for a success unless it is told otherwise.
    ...(isStrict(module) ? {} : { expect: ['2xx', '3xx', '4xx', '5xx'] }),
  };
  const fault = actionFault('http', input, 'written');
  if (fault !== null) told.lost(`a part of the request (${fault})`, 'mend the step; it is refused as it is');
  const seconds = textOf(mapper['timeout'] ?? parameters['timeout']);
  return { name: stepName(module), http: input, ...(/^[1-9]\d{0,4}$/.test(seconds) ? { timeout: `${seconds}s` } : {}) };
}

function isStrict({ kind, mapper, parameters }: Module): boolean {
  if (kind === 'http:MakeRequest') return (mapper['stopOnHttpError'] ?? parameters['stopOnHttpError']) !== false;
  return (parameters['handleErrors'] ?? mapper['handleErrors']) === true;
}

/** A credential that stands in the blueprint as text becomes a secret. */
function headersOf(module: Module, told: Told): { [name: string]: Json } {
  const { mapper, id } = module;
  const headers = pairsOf(mapper['headers']).map(([name, value]): [string, Json] => {
    if (!CREDENTIALS.test(name) || value.includes('{{') || value === '')
      return [name.toLowerCase(), told.template(value)];
    return [name.toLowerCase(), `\${ ${told.key(value, `http${id}_${name}`)} }`];
  });
  const [user, password] = [textOf(mapper['authUser']), textOf(mapper['authPass'])];
  if (user !== '' || password !== '') {
    const secret = told.key(`${user}:${password}`, `http${id}_login`);
    headers.push(['authorization', `Basic \${ base64(${secret}) }`]);
    told.lost('the user name and password of the request', 'set the secret to user:password');
  }
  return Object.fromEntries(headers);
}

function queryOf({ mapper }: Module, told: Told): string {
  const pairs = pairsOf(mapper['qs'] ?? mapper['queryParameters']);
  if (pairs.length === 0) return '';
  const texts = pairs.map(([name, value]) => {
    const { code, literal } = told.expression(value);
    const text = literal === undefined ? `\${ urlEncode(${code}) }` : encodeURIComponent(String(literal));
    return `${encodeURIComponent(name)}=${text}`;
  });
  return `${textOf(mapper['url']).includes('?') ? '&' : '?'}${texts.join('&')}`;
}

function contentOf(mapper: Module['mapper'], told: Told): { type: string | null; fields: { [name: string]: Json } } {
  const kind = textOf(mapper['bodyType'] ?? mapper['contentType']);
  if (/form_urlencoded|urlencoded/i.test(kind)) {
    const form = pairsOf(mapper['fields'] ?? mapper['formData']).map(([name, value]) => [name, told.template(value)]);
    return { type: null, fields: { form: Object.fromEntries(form) as Json } };
  }
  if (/multipart/i.test(kind)) {
    told.lost('a multipart body', 'send the parts as JSON or as a form, or use another step');
    return { type: null, fields: {} };
  }
  const body = told.text(mapper['data'] ?? mapper['jsonStringBodyContent']);
  if (body === '') return { type: null, fields: {} };
  const said = textOf(mapper['contentType']);
  return { type: said === 'json' ? 'application/json' : said || null, fields: { body } };
}

function mail(module: Module, told: Told): DocumentStep {
  const { mapper } = module;
  const to = mapper['to'];
  const html = mapper['html'] ?? mapper['content'];
  if (mapper['text'] === undefined && html !== undefined) {
    told.lost('the HTML of the mail', 'mails are plain text: the markup stands in them as it is');
  }
  if (mapper['attachments'] !== undefined || mapper['cc'] !== undefined || mapper['bcc'] !== undefined) {
    told.lost('attachments and further readers of the mail', 'name the readers in to; attachments cannot be sent');
  }
  const text = told.text(mapper['text'] ?? html ?? mapper['body']);
  const readers = Array.isArray(to) ? to.map((one) => told.text(one)) : told.text(to);
  return { name: stepName(module), mail: { to: readers, subject: told.text(mapper['subject']), text } };
}

function switcher(module: Module, told: Told): DocumentStep {
  const { mapper } = module;
  const cases = Array.isArray(mapper['casesTable']) ? mapper['casesTable'] : mapper['cases'];
  const pairs = (Array.isArray(cases) ? cases : []).map(fieldsOf).map((one) => {
    const { pattern, output } = {
      pattern: textOf(one['pattern'] ?? one['in']),
      output: textOf(one['output'] ?? one['out']),
    };
    return [told.expression(pattern).code, told.expression(output).code];
  });
  if (mapper['useRegExpMatch'] === true) told.lost('cases that are patterns', 'write them with matches(text, pattern)');
  const input = told.expression(textOf(mapper['input'] ?? mapper['switchInput'])).code;
  const otherwise = told.expression(textOf(mapper['elseOutput'] ?? mapper['default'])).code;
  if (pairs.length === 0) return { set: { [stepName(module)]: `\${ ${otherwise} }` } };
  return { set: { [stepName(module)]: `\${ switch(toText(${input}), ${[...pairs.flat(), otherwise].join(', ')}) }` } };
}
