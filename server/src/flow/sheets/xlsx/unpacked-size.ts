// How large a ZIP file becomes when it is unpacked, by its directory: 6 MB may come to gigabytes, and are judged before.
// The library holds each part to the size that stands here, and one that names none to 2 GiB.

// APPNOTE 4.3.12 to 4.3.16, 4.5.3.
const END = 0x06054b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const ENTRY = 0x02014b50;
const ENTRY_LENGTH = 46;
const LARGE = 0xffffffff;
const LARGE_COUNT = 0xffff;
const LARGE_EXTRA = 1;
/** What nothing is packed to, and some more. */
const NOTHING = 16;

/** Bytes of all parts together; Infinity where one does not say. Throws a RangeError for what is no such file. */
export function unpackedBytes(zip: Uint8Array): number {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const { count, offset } = directoryOf(view);
  let sum = 0;
  for (let n = 0, at = offset; n < count; n++) {
    if (view.getUint32(at, true) !== ENTRY) throw new RangeError('its directory is broken');
    const extra = { at: at + ENTRY_LENGTH + view.getUint16(at + 28, true), length: view.getUint16(at + 30, true) };
    const size = view.getUint32(at + 24, true);
    const isUnsaid = size === 0 && view.getUint32(at + 20, true) > NOTHING;
    sum += isUnsaid ? Infinity : size === LARGE ? largeSize(view, extra) : size;
    at = extra.at + extra.length + view.getUint16(at + 32, true);
  }
  return sum;
}

function directoryOf(view: DataView): { count: number; offset: number } {
  const first = Math.max(0, view.byteLength - END_LENGTH - LONGEST_COMMENT);
  for (let at = view.byteLength - END_LENGTH; at >= first; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const [count, offset] = [view.getUint16(at + 10, true), view.getUint32(at + 16, true)];
    if (count !== LARGE_COUNT && offset !== LARGE) return { count, offset };
    const large = Number(view.getBigUint64(at - 20 + 8, true));
    return { count: Number(view.getBigUint64(large + 32, true)), offset: Number(view.getBigUint64(large + 48, true)) };
  }
  throw new RangeError('it has no directory');
}

/** The size that did not fit: the first of the long ones beside it. */
function largeSize(view: DataView, { at, length }: { at: number; length: number }): number {
  for (let place = at; place + 12 <= at + length; place += 4 + view.getUint16(place + 2, true)) {
    if (view.getUint16(place, true) === LARGE_EXTRA) return Number(view.getBigUint64(place + 4, true));
  }
  return Infinity;
}
