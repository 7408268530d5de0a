// From the bytes of a body to its text: strictly, and naming the place where they are none.
import { isUtf8 } from 'node:buffer';
import type { Read } from './reading.ts';

/**
 * Text in the charset that a content type names (a label of the Encoding Standard), without a byte order mark. Bytes
 * that are no text in it are refused, `subject` beginning the sentence.
 */
export function decodeText(bytes: Buffer, charset: string, subject: string): Read<{ text: string }> {
  if (isUtf8Name(charset)) {
    if (!isUtf8(bytes))
      return { ok: false, reason: `${subject} is not valid UTF-8 (byte ${firstBadByte(bytes) + 1}).` };
    return { ok: true, text: withoutMark(bytes.toString()) };
  }
  const decoder = decoderOf(charset);
  if (decoder === undefined) {
    return {
      ok: false,
      reason: `${subject} is in a charset nobody here knows: ${JSON.stringify(charset.slice(0, 40))}.`,
    };
  }
  try {
    return { ok: true, text: decoder.decode(bytes) };
  } catch {
    return { ok: false, reason: `${subject} is not valid ${decoder.encoding}, which its content type says it is.` };
  }
}

/** True for bytes that a person would call a text: UTF-8 without NUL. */
export function isPlainText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

/** Where a text stands at an index, counted from 1: `line 2, column 7`. */
export function placeIn(text: string, index: number): string {
  let line = 1;
  let start = 0;
  for (let next = text.indexOf('\n'); next >= 0 && next < index; next = text.indexOf('\n', start)) {
    line++;
    start = next + 1;
  }
  return `line ${line}, column ${index - start + 1}`;
}

function isUtf8Name(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii' || charset === 'ascii';
}

function decoderOf(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    return undefined;
  }
}

/** Where the first sequence begins that is not UTF-8. */
function firstBadByte(bytes: Buffer): number {
  const text = bytes.toString();
  let offset = 0;
  let from = 0;
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', from)) {
    offset += Buffer.byteLength(text.slice(from, at));
    // The replacement character may stand in the bytes themselves.
    const genuine = bytes[offset] === 0xef && bytes[offset + 1] === 0xbf && bytes[offset + 2] === 0xbd;
    if (!genuine) return offset;
    offset += 3;
    from = at + 1;
  }
  return offset;
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
