// Media types: which one announces which mode, and what a datacontenttype says about the data.

/** Content types we send (CloudEvents 1.0.2, JSON format sections 3 and 4.2). */
export const STRUCTURED_CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';
export const BATCH_CONTENT_TYPE = 'application/cloudevents-batch+json; charset=utf-8';
/** The content type of data whose event names none (JSON format section 3.1). */
export const DEFAULT_DATA_CONTENT_TYPE = 'application/json';

/** The media type in lower case, without parameters. */
export function essence(contentType: string): string {
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** The charset parameter in lower case, unquoted; undefined when there is none. */
export function charset(contentType: string): string | undefined {
  return /;[ \t]*charset[ \t]*=[ \t]*"?([^";\s]*)/i.exec(contentType)?.[1]?.toLowerCase();
}

/** True when text in this charset is UTF-8: it says so, says ASCII, or says nothing. */
export function isUtf8Charset(contentType: string): boolean {
  const name = charset(contentType);
  return name === undefined || name === 'utf-8' || name === 'utf8' || name === 'us-ascii' || name === 'ascii';
}

/** True for subtypes `json` and `…+json` (JSON format section 3.1.1), parameters aside. */
export function isJsonType(contentType: string): boolean {
  if (contentType === DEFAULT_DATA_CONTENT_TYPE) return true;
  const type = essence(contentType);
  return type.endsWith('/json') || type.endsWith('+json');
}

/** True for types whose content is text in UTF-8: `text/*` and XML, unless a charset says otherwise. */
export function isTextType(contentType: string): boolean {
  const type = essence(contentType);
  if (!type.startsWith('text/') && type !== 'application/xml' && !type.endsWith('+xml')) return false;
  return isUtf8Charset(contentType);
}
