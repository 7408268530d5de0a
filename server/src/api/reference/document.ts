// What of the OpenAPI document the reference page reads.
import type { Schema } from './shape.ts';

/** A body or an answer of one media type. */
export interface MediaObject {
  schema: Schema;
  example?: unknown;
}

/** A parameter of a path, a query, or the head. */
export interface ParameterObject {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: Schema;
  example?: string | number | boolean;
}

interface ResponseObject {
  description: string;
  content?: Readonly<Record<string, MediaObject>>;
}

/** What of an operation the page shows. */
export interface OperationObject {
  operationId: string;
  summary: string;
  description: string;
  tags: readonly [string];
  security?: readonly unknown[];
  parameters: readonly ParameterObject[];
  requestBody?: { required: boolean; content: Readonly<Record<string, MediaObject>> };
  responses: Readonly<Record<string, ResponseObject>>;
}

/** What of the document the page shows. */
export interface ApiDocument {
  info: { title: string; version: string; summary: string; description: string };
  paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
}
