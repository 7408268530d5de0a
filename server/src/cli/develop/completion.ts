// `bellwire completion`: the script by which a shell asks what may follow; and `__complete`, which answers it.
//
// The scripts know nothing of the commands: they hand over the words and put what comes back into their shell's hands.
// bash alone hands over its line as it stands, for it has cut its words at `:` and `=`.
import type { Command } from 'commander';
import type { Client } from '../../client/index.ts';
import { complete, type Candidate, type Completion } from './completing.ts';
import { usage } from '../failure.ts';
import type { Declare, Session } from '../session.ts';
import { cutLine, quoteForBash } from './shell-words.ts';
import type { Terminal } from '../terminal.ts';

export const completion: Declare = (command, run) => {
  command
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', '\nHow to install it: docs/cli.md.')
    .action(run(printScript));
};

function printScript({ terminal }: Session, _options: object, [shell]: [string]): void {
  const script = (SCRIPTS as Readonly<Record<string, string>>)[shell];
  if (script === undefined) throw usage(`there are scripts for ${Object.keys(SCRIPTS).join(', ')}, not for ${shell}`);
  terminal.stdout.write(script);
}

/** What a shell asks with: its name, then the words, the last of them unfinished; of bash line and position. */
export type Asked = readonly [shell: string, ...words: string[]];

/** What answering takes. */
export interface Answering {
  terminal: Pick<Terminal, 'stdout'>;
  signal: AbortSignal;
  /** The program in which the command that these words name is whole. */
  programFor(words: readonly string[]): Promise<Command>;
  clientFor(words: readonly string[]): Promise<Client>;
}

/** Answers a shell: a candidate a line, with a tab and a few words; `:files` for files. Never rejects. */
export async function answerShell([shell, ...asked]: Asked, answering: Answering): Promise<void> {
  try {
    const line = shell === 'bash' ? cutLine(asked[0] ?? '', Number(asked[1] ?? 0)) : null;
    const words = line ? line.words.slice(1, -1) : asked.slice(0, -1);
    const current = (line ? line.words.at(-1) : asked.at(-1)) ?? '';
    const program = await answering.programFor(words);
    const client = (): Promise<Client> => answering.clientFor(words);
    const found = await complete({ program, words, current, client, signal: answering.signal });
    const shown = line ? quotedFor(found, line) : found;
    answering.terminal.stdout.write(
      linesOf(shown)
        .map((one) => `${one}\n`)
        .join(''),
    );
  } catch {
    // A shell that waits for a word has no place for an error.
  }
}

// bash replaces what follows its last cut, and takes what it gets as it stands.
function quotedFor({ candidates, isFile }: Completion, { quote, cutAt }: ReturnType<typeof cutLine>): Completion {
  const quoted = candidates.map(({ value, about }) => ({ value: quoteForBash(value.slice(cutAt), quote), about }));
  return { candidates: quoted, isFile };
}

function linesOf({ candidates, isFile }: Completion): string[] {
  return isFile ? [':files'] : candidates.map(lineOf);
}

function lineOf({ value, about }: Candidate): string {
  return about === '' ? value : `${value}\t${about}`;
}

const BASH = `# Completion of bellwire for bash; see docs/cli.md.
_bellwire() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == ':files' ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
      return
    fi
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <("$1" __complete bash "$COMP_LINE" "$COMP_POINT" 2>/dev/null </dev/null)
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[=,] ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _bellwire bellwire
`;

const ZSH = `#compdef bellwire
# Completion of bellwire for zsh; see docs/cli.md.
_bellwire() {
  local line
  local -a values shown
  local -a before=("\${(@Q)words[2,CURRENT-1]}")
  for line in "\${(@f)$("\${(Q)words[1]}" __complete zsh "\${before[@]}" "\${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == ':files' ]]; then
      _files
      return
    fi
    values+=("\${line%%$'\\t'*}")
    shown+=("\${line/$'\\t'/  }")
  done
  (( \${#values} )) && compadd -l -d shown -- "\${values[@]}"
}
if [[ \${funcstack[1]} == _bellwire ]]; then
  _bellwire "$@"
else
  compdef _bellwire bellwire
fi
`;

const FISH = `# Completion of bellwire for fish; see docs/cli.md.
function __bellwire_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct | string unescape)
    test -n "$current"; or set current ''
    set -l found ($before[1] __complete fish $before[2..-1] "$current" 2>/dev/null </dev/null)
    if test "$found[1]" = ':files'
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete -c bellwire -f -a '(__bellwire_complete)'
`;

const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;
