// Functions of lists and objects: what is picked, kept, made of each entry, ordered, and put together.
import type { Json } from '../../../json-value.ts';
import { ENTRY, deeper, namesOf, produce, spend, walk } from '../budget.ts';
import { exists, isTrue, put, toJson } from '../values.ts';
import type { JsonObject } from '../values.ts';
import { entry, listOf, objectOf, textOf, walkedText, wholeOf, wordOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

const MOST = 2 ** 31;

/** Counts a list that is about to be made, and the work of it. */
function made(list: Json[], call: Call): Json[] {
  spend(call, list.length);
  produce(call, ENTRY * list.length);
  return list;
}

/** The entries of a list that is about to be walked. */
function walked(value: Argument, call: Call): Json[] {
  const list = listOf(value);
  spend(call, list.length);
  return list;
}

/** A name under which equal values, and only they, come together; texts cost no walk. */
function keyOf(value: Json, call: Call): string {
  return typeof value === 'string' ? `"${walk(call, value)}` : toJson(sorted(value, call, 0), call);
}

/** The same value with the members of its objects in the order of their names. */
function sorted(value: Json, call: Call, depth: number): Json {
  if (typeof value !== 'object' || value === null) return value;
  const below = deeper(depth);
  if (Array.isArray(value)) return made(value, call).map((part) => sorted(part, call, below));
  const result: JsonObject = {};
  const names = namesOf(call, value).sort();
  spend(call, 10);
  produce(call, ENTRY * names.length);
  for (const name of names) put(result, name, sorted(value[name] as Json, call, below));
  return result;
}

/** Numbers before texts, both in their order; all else behind, as it came. Nothing is last. */
function compareKeys(left: Json, right: Json): number {
  const [a, b] = [rank(left), rank(right)];
  if (a !== b || a === 2) return a - b;
  return left === right ? 0 : (left as number) < (right as number) ? -1 : 1;
}

function rank(value: Json): number {
  return typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2;
}

function sort([value, , order]: readonly Argument[], call: Call, each: (item: Json) => Json): Json {
  const list = walked(value, call);
  const sign = wordOf(order, 'order', ['asc', 'desc']) === 'asc' ? 1 : -1;
  spend(call, list.length * Math.ceil(Math.log2(list.length + 1)));
  const keyed = list.map((item) => ({ item, key: each(item) }));
  keyed.sort((a, b) => (rank(a.key) === 2 || rank(b.key) === 2 ? 1 : sign) * compareKeys(a.key, b.key));
  return made(
    keyed.map(({ item }) => item),
    call,
  );
}

function distinct([value]: readonly Argument[], call: Call, each: (item: Json) => Json): Json {
  const seen = new Set<string>();
  return made(
    walked(value, call).filter((item) => {
      const before = seen.size;
      seen.add(keyOf(each(item), call));
      return seen.size > before;
    }),
    call,
  );
}

/** The entries that another list has, or that it does not have. */
function kept(list: Argument, { other, wanted }: { other: Argument; wanted: boolean }, call: Call): Json {
  const known = new Set(walked(other, call).map((item) => keyOf(item, call)));
  return made(
    walked(list, call).filter((item) => known.has(keyOf(item, call)) === wanted),
    call,
  );
}

function groupBy([value]: readonly Argument[], call: Call, each: (item: Json) => Json): Json {
  const groups = new Map<string, Json[]>();
  for (const item of walked(value, call)) {
    const name = walkedText(each(item), call);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [item]);
    else group.push(item);
    produce(call, 2 * ENTRY + name.length);
  }
  const result: JsonObject = {};
  for (const [name, group] of groups) put(result, name, group);
  return result;
}

function flatten(list: readonly Json[], depth: number, call: Call): Json[] {
  const result: Json[] = [];
  for (const part of list) {
    const inner = depth > 0 && Array.isArray(part) ? flatten(part, depth - 1, call) : [part];
    spend(call, inner.length);
    produce(call, ENTRY * inner.length);
    for (const one of inner) result.push(one);
  }
  return result;
}

/** Members of several objects in one; the later wins. */
function merge(args: readonly Argument[], call: Call): Json {
  const result: JsonObject = {};
  for (const arg of args) addMembers(result, { from: objectOf(arg), wanted: () => true }, call);
  return result;
}

type Members = { from: JsonObject; wanted: (name: string) => boolean };

function addMembers(to: JsonObject, { from, wanted }: Members, call: Call): JsonObject {
  const names = namesOf(call, from);
  for (const name of names) {
    if (!wanted(name)) continue;
    produce(call, ENTRY + name.length);
    put(to, name, from[name] as Json);
  }
  return to;
}

/** Names given one by one or as lists. */
function namesGiven(args: readonly Argument[], call: Call): Set<string> {
  const names = args.slice(1).flatMap((arg) => (Array.isArray(arg) ? walked(arg, call) : [arg ?? null]));
  return new Set(names.map((name) => textOf(name, call)));
}

/** The first or last of a list, or the first or last character of a text. */
function end(value: Argument, last: boolean): Json {
  if (typeof value === 'string') return Array.from(last ? value.slice(-2) : value.slice(0, 2)).at(last ? -1 : 0) ?? '';
  return listOf(value).at(last ? -1 : 0) ?? null;
}

function slice([value, from, to]: readonly Argument[], call: Call): Json {
  const list = listOf(value);
  const bounds = { from: -MOST, to: MOST };
  return made(
    list.slice(wholeOf(from, 'start', { ...bounds, or: 0 }), wholeOf(to, 'end', { ...bounds, or: list.length })),
    call,
  );
}

export const LIST_FUNCTIONS: readonly FunctionEntry[] = [
  entry('first(list)', ([list]) => end(list, false)),
  entry('last(list)', ([list]) => end(list, true)),
  entry('map(list, x -> value)', ([list], call, each) => made(walked(list, call).map(each), call)),
  entry('filter(list, x -> condition)', ([list], call, each) =>
    made(
      walked(list, call).filter((item) => isTrue(each(item))),
      call,
    ),
  ),
  entry('find(list, x -> condition)', ([list], call, each) => walked(list, call).find((x) => isTrue(each(x))) ?? null),
  entry('any(list, x -> condition?)', ([list], call, each) => walked(list, call).some((x) => isTrue(each(x)))),
  entry('all(list, x -> condition?)', ([list], call, each) => walked(list, call).every((x) => isTrue(each(x)))),
  entry('sort(list, x -> key?, order?)', sort, { 2: (value) => wordOf(value, 'order', ['asc', 'desc']) }),
  entry('reverse(list)', ([list], call) => made(walked(list, call).toReversed(), call)),
  entry('distinct(list, x -> key?)', distinct),
  entry('groupBy(list, x -> key)', groupBy),
  entry('flatten(list, depth?)', ([list, depth], call) =>
    flatten(listOf(list), wholeOf(depth, 'depth', { from: 1, to: 100, or: 1 }), call),
  ),
  entry('slice(list, from, to?)', slice),
  entry('concat(list…)', (args, call) =>
    args.flatMap((arg) => made(Array.isArray(arg) ? arg : exists(arg ?? null) ? [arg as Json] : [], call)),
  ),
  entry('difference(list, other)', ([list, other], call) => kept(list, { other, wanted: false }, call)),
  entry('intersection(list, other)', ([list, other], call) => kept(list, { other, wanted: true }, call)),
  entry('keys(object)', ([object], call) => made(namesOf(call, objectOf(object)), call)),
  entry('values(object)', ([object], call) => made(Object.values(objectOf(object)), call)),
  entry('merge(object…)', merge),
  entry('pick(object, name…)', (args, call) => {
    const names = namesGiven(args, call);
    return addMembers({}, { from: objectOf(args[0]), wanted: (name) => names.has(name) }, call);
  }),
  entry('omit(object, name…)', (args, call) => {
    const names = namesGiven(args, call);
    return addMembers({}, { from: objectOf(args[0]), wanted: (name) => !names.has(name) }, call);
  }),
];
