// Why a run ends before its steps do, and how those who work for it hear of that.

/** Why. */
export type EndingKind =
  /** It was asked to end, or took too long: it gets the state `aborted`. */
  | 'abort'
  /** It cannot go on, whatever its steps say of errors: it gets the state `failed`. */
  | 'fail'
  /** The platform stops: the run stays `running`, and whoever owns it next goes on with it. */
  | 'stop'
  /** Its lane is somebody else's by now: nothing may be written of it any more. */
  | 'lost';

/** Thrown through a run that is to end. The message is one clause for people. */
export class Ending extends Error {
  override name = 'Ending';
  readonly kind: EndingKind;

  constructor(kind: EndingKind, reason: string, cause?: unknown) {
    super(reason, { cause });
    this.kind = kind;
  }
}

/** Thrown through a run by `stop`: nothing of it is done any more, and nothing has failed. */
export class Stopped extends Error {
  override name = 'Stopped';
  readonly as: 'completed' | 'failed';

  /** The message is the run's reason where it is to be a failed one. */
  constructor(as: 'completed' | 'failed', reason: string) {
    super(reason);
    this.as = as;
  }
}

/** The word that a run is to end; the first one counts, unless the run is lost. */
export class Halt {
  readonly #now = new AbortController();
  readonly #cut = new AbortController();

  /** Aborted with the {@link Ending} as soon as the run is to end. */
  get signal(): AbortSignal {
    return this.#now.signal;
  }

  /** The same for what ends by itself within moments: when the platform stops it is let end, and cut off at last. */
  get cutSignal(): AbortSignal {
    return this.#cut.signal;
  }

  /** Why it is to end, or null. */
  get ending(): Ending | null {
    const { aborted, reason } = this.#now.signal;
    return aborted ? (reason as Ending) : null;
  }

  /** Ends the run. */
  end(ending: Ending): void {
    this.#now.abort(ending);
    if (ending.kind !== 'stop') this.#cut.abort(ending);
  }

  /** Whatever is under way is cut off. */
  cut(ending: Ending): void {
    this.#now.abort(ending);
    this.#cut.abort(ending);
  }

  /** Throws the {@link Ending} when there is one. */
  check(): void {
    this.#now.signal.throwIfAborted();
  }

  /** Has the run to be left as it is, whatever it still waits for? */
  get isLeft(): boolean {
    const { aborted, reason } = this.#cut.signal;
    return aborted && ((reason as Ending).kind === 'lost' || (reason as Ending).kind === 'stop');
  }
}

/** A signal that follows another one, and may be aborted on its own; `release` lets go of the other. */
export function follow(signal: AbortSignal): { controller: AbortController; release(): void } {
  const controller = new AbortController();
  const pass = (): void => controller.abort(signal.reason);
  if (signal.aborted) pass();
  else signal.addEventListener('abort', pass, { once: true });
  return { controller, release: () => signal.removeEventListener('abort', pass) };
}
