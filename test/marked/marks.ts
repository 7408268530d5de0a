// Secrets that can be recognised wherever they turn up: unique marks, the forms a value takes on its way, and a search.
import { randomBytes } from 'node:crypto';

/** A secret with a name by which a test speaks of it. */
export interface Mark {
  name: string;
  value: string;
}

/** Something that a mark was found in. */
export interface Leak {
  mark: string;
  place: string;
  /** What stands around it. */
  around: string;
}

/** Marks, and texts in which none of them may stand. */
export interface Marks {
  /** A new secret; `make` gives it the form that its use asks for. */
  make(name: string, make?: (text: string) => string): string;
  /** A secret that somebody else has made. */
  learn(name: string, value: string): string;
  /** Keeps a text under the name of the place where it was seen. */
  note(place: string, text: string | Uint8Array): void;
  /** How many texts were kept of such places. */
  count(place: RegExp): number;
  /** Every mark in every text, in all its forms. */
  leaks(): Leak[];
}

/** Begins with none. */
export function createMarks(): Marks {
  const marks: Mark[] = [];
  const notes: { place: string; text: string }[] = [];
  const learn = (name: string, value: string): string => {
    marks.push({ name, value });
    return value;
  };
  return {
    make: (name, form = (text) => text) => learn(name, form(`Mark${name}${randomBytes(6).toString('hex')}`)),
    learn,
    note(place, text) {
      notes.push({ place, text: typeof text === 'string' ? text : Buffer.from(text).toString('latin1') });
    },
    count: (place) => notes.filter((one) => place.test(one.place)).length,
    leaks: () => {
      const needles = marks.flatMap(({ name, value }) => formsOf(value).map((form) => ({ name, form })));
      return notes.flatMap(({ place, text }) =>
        needles.flatMap(({ name, form }) => {
          const at = text.indexOf(form);
          return at < 0 ? [] : [{ mark: name, place, around: text.slice(Math.max(0, at - 60), at + form.length + 20) }];
        }),
      );
    },
  };
}

/** The value, and what encoding makes of it; base64 wherever in a longer text the value begins. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((offset) => {
    const inside = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return inside.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  const encoded = [encodeURIComponent(value), JSON.stringify(value).slice(1, -1), bytes.toString('hex')];
  const all = [value, ...encoded, bytes.toString('hex').toUpperCase(), ...base64];
  return [...new Set([...all, ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))])];
}
