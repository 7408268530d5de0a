// Attributes as HTTP header values: quoting and percent-encoding (CloudEvents 1.0.2, HTTP binding section 3.1.3.2).

// Space, the double quote, the percent sign and everything outside U+0021-7E.
const TO_ENCODE = /[^\x21\x23\x24\x26-\x7e]/gu;
const PRINTABLE = /^[\t\x20-\x7e]*$/;

/** An attribute's string as a header value: percent-encoded UTF-8, hex digits in upper case. */
export function encodeHeaderValue(value: string): string {
  return value.replace(TO_ENCODE, encodeURIComponent);
}

/**
 * A header value as the attribute's string: quoted strings are unquoted, then percent-encoding is undone once. Answers
 * undefined when the value is not ASCII, when a quoted string does not end, or when what the percent signs encode is
 * not UTF-8 (overlong forms and surrogates included).
 */
export function decodeHeaderValue(value: string): string | undefined {
  if (!PRINTABLE.test(value)) return undefined;
  const plain = value.includes('"') ? unquote(value) : value;
  if (plain === undefined || !plain.includes('%')) return plain;
  try {
    return decodeURIComponent(plain);
  } catch {
    return undefined;
  }
}

/** RFC 7230 section 3.2.6: a backslash inside a quoted string stands for the character after it. */
function unquote(value: string): string | undefined {
  let text = '';
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at] as string;
    if (character === '"') quoted = !quoted;
    else if (quoted && character === '\\') text += value[++at] ?? '';
    else text += character;
  }
  return quoted ? undefined : text;
}
