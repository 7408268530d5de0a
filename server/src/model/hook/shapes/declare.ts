// Writes structures as TypeScript declarations, for who handles the same bodies in code (R79).
import type { NamedShape, Shape } from '../../flow/definition.ts';

/**
 * A module of TypeScript: an exported type of each shape, named after it in PascalCase (a number behind it where that
 * is taken), with dates as strings. Whatever the names of shapes and fields are, it compiles.
 */
export function shapeTypes(named: readonly NamedShape[]): string {
  const taken = new Set<string>();
  const declarations = named.map(({ name, shape }) => {
    const identifier = identifierOf(name, taken);
    const doc = `/** A body of the shape ${JSON.stringify(name)
      .replaceAll('*/', '*\\/')
      .replace(/[\u2028\u2029]/g, ' ')}. */`;
    return shape.type === 'collection' && !shape.nullable && Object.keys(shape.fields).length > 0
      ? `${doc}\nexport interface ${identifier} ${fieldsOf(shape.fields, '')}\n`
      : `${doc}\nexport type ${identifier} = ${typeOf(shape, '')};\n`;
  });
  return declarations.join('\n');
}

function identifierOf(name: string, taken: Set<string>): string {
  const words = name.split(/[^\p{ID_Continue}]+/u).filter((word) => word !== '');
  const joined = words.map((word) => word.replace(/^./u, (first) => first.toUpperCase())).join('');
  const begun = /^[\p{ID_Start}_]/u.test(joined) && !TAKEN_WORDS.has(joined) ? joined : `Shape${joined}`;
  let identifier = begun;
  for (let count = 2; taken.has(identifier); count++) identifier = `${begun}${count}`;
  taken.add(identifier);
  return identifier;
}

/** What begins with no letter that has a capital, and cannot be the name of a type. */
const TAKEN_WORDS = new Set(['_', '__proto__']);

function typeOf(shape: Shape, indent: string): string {
  const type = plainTypeOf(shape, indent);
  return shape.nullable && shape.type !== 'unknown' ? `${type} | null` : type;
}

function plainTypeOf(shape: Shape, indent: string): string {
  switch (shape.type) {
    case 'text':
    case 'date':
      return 'string';
    case 'array': {
      const of = typeOf(shape.of, indent);
      return /^\w+$/.test(of) || !shape.of.nullable ? `${of}[]` : `(${of})[]`;
    }
    case 'collection':
      return fieldsOf(shape.fields, indent);
    default:
      return shape.type;
  }
}

function fieldsOf(fields: Readonly<Record<string, Shape>>, indent: string): string {
  const inner = `${indent}  `;
  const lines = Object.entries(fields).map(([name, shape]) => {
    const key = /^[A-Za-z$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    const doc = shape.type === 'date' ? `${inner}/** RFC 3339. */\n` : '';
    return `${doc}${inner}${key}${shape.optional ? '?' : ''}: ${typeOf(shape, inner)};\n`;
  });
  return lines.length === 0 ? 'Record<string, unknown>' : `{\n${lines.join('')}${indent}}`;
}
