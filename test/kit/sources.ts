// The project's own source files as the house test sees them: text, code without comments, imports.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

export interface Source {
  /** Path from the root, with `/`. */
  path: string;
  text: string;
  imports: Import[];
}

export interface Import {
  /** As written: `node:fs`, `undici`, `./ids.ts`. */
  specifier: string;
  /** For a relative one: the path from the root it leads to. */
  target?: string;
  typeOnly: boolean;
  /** The names in braces, as far as they can be read. */
  names: string[];
  line: number;
}

/** Every TypeScript file of the project; `rooms` are folders below the root. */
export function readSources(root: string, rooms: string[]): Source[] {
  const patterns = rooms.map((room) => `${room}/**/*.ts`);
  const inside = (path: string): boolean =>
    !path.split(/[\\/]/).some((part) => part === 'node_modules' || part === 'dist');
  return globSync(patterns, { cwd: root })
    .filter(inside)
    .sort()
    .map((path) => source(path.replaceAll('\\', '/'), readFileSync(join(root, path), 'utf8')));
}

/** One file, for tests of the rules also from a string. */
export function source(path: string, text: string): Source {
  return { path, text, imports: importsOf(path, text) };
}

const statement = /(?<=^|\n)[ \t]*(import|export)\b(?<type> type\b)?(?<what>[^;'"`]*?)\bfrom\s*'(?<from>[^']+)'/g;
const bare = /(?<=^|\n)[ \t]*import\s*'(?<from>[^']+)'/g;
const dynamic = /\bimport\(\s*'(?<from>[^']+)'/g;
const worker = /\bnew URL\(\s*'(?<from>\.[^']+\.ts)'/g;

function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const found = [statement, bare, dynamic, worker].flatMap((pattern) => [...code.matchAll(pattern)]);
  return found.map((match) => {
    const { from = '', type, what = '' } = match.groups ?? {};
    const braces = /\{([^}]*)\}/.exec(what)?.[1] ?? '';
    const names = braces
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    return {
      specifier: from,
      ...(from.startsWith('.') ? { target: posix.normalize(posix.join(posix.dirname(path), from)) } : {}),
      typeOnly: type !== undefined || (names.length > 0 && names.every((name) => name.startsWith('type '))),
      names: names.map((name) => name.replace(/^type /, '').replace(/ as .*/, '')),
      line: code.slice(0, match.index + match[0].length).split('\n').length,
    };
  });
}

/** The same text, comments blanked out; lines stay where they are. */
export function withoutComments(text: string): string {
  return blank(text, (token) => token.startsWith('//') || token.startsWith('/*'));
}

/** The same text, comments and the contents of strings blanked out. */
export function codeOnly(text: string): string {
  return blank(text, () => true);
}

/** Comments, strings, and regular expressions (a slash after something that cannot end a value). */
const tokens =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[(,=:[!&|?{};\n]\s*|\breturn\s+)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g;

function blank(text: string, unwanted: (token: string) => boolean): string {
  return text.replaceAll(tokens, (token) => (unwanted(token) ? token.replaceAll(/[^\n]/g, ' ') : token));
}

/** The line number of each match of `pattern` in `code`. */
export function linesOf(code: string, pattern: RegExp): { line: number; found: string }[] {
  return [...code.matchAll(new RegExp(pattern, 'g'))].map((match) => ({
    line: code.slice(0, match.index).split('\n').length,
    found: match[0].trim(),
  }));
}

/** The root of the repository. */
export const repository = resolve(dirname(import.meta.dirname), '..');
