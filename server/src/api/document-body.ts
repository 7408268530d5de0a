// The body of requests that carry one document of a flow or a sheet: YAML, or the same as JSON.
import { Type, type TSchema } from 'typebox';
import { stringify } from 'yaml';

/** The media types of such a body, each with an example of the document. */
export function documentBody(example: object): Readonly<Record<string, TSchema>> {
  const yaml = Type.String({ description: 'The document as YAML.', examples: [stringify(example)] });
  const json = Type.Unknown({ description: 'The document as JSON.', examples: [example] });
  return { 'application/yaml': yaml, 'application/json': json, 'text/plain': yaml };
}
