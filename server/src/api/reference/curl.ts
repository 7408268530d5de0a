// The command line that makes a request of an operation's own examples: `$API` and `$KEY` are the reader's.
import type { OperationObject } from './document.ts';

/** Longer bodies are written over several lines. */
const ONE_LINE = 60;

/** A request by curl that can be pasted into a shell. */
export function curlOf(method: string, path: string, operation: OperationObject): string {
  const { parameters, requestBody, security } = operation;
  const example = (name: string) =>
    String(parameters.find((one) => one.in === 'path' && one.name === name)?.example ?? '…');
  const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(example(name)));
  const [media, body] = Object.entries(requestBody?.content ?? {}).find(([, one]) => one.example !== undefined) ?? [];
  return [
    `curl -sS${method === 'GET' ? '' : ` -X ${method}`} "$API${target}"`,
    ...(security?.length === 0 ? [] : ['-H "Authorization: Bearer $KEY"']),
    ...(media === undefined ? [] : [`-H 'Content-Type: ${media}'`, `-d ${quoted(textOf(body?.example))}`]),
  ].join(' \\\n  ');
}

function textOf(example: unknown): string {
  if (typeof example === 'string') return example;
  const line = JSON.stringify(example);
  return line.length > ONE_LINE ? JSON.stringify(example, null, 2) : line;
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
