// What goes along with an offer: the codecs in the order in which the page wants them, how fast the path seems to be, and whether to save data.

/** H.264 first, the baseline that home sends before all, with retransmission kept; empty if there is no H.264. */
export function orderCodecs(codecs) {
  const rank = (codec) => {
    const line = (codec.sdpFmtpLine ?? '').toLowerCase();
    const packets = line.includes('packetization-mode=1');
    if (packets && line.includes('profile-level-id=42e0')) return 0;
    if (packets && line.includes('profile-level-id=42')) return 1;
    return packets ? 2 : 3;
  };
  const h264 = codecs.filter((codec) => codec.mimeType.toLowerCase() === 'video/h264');
  if (!h264.length) return [];
  const rtx = codecs.filter((codec) => codec.mimeType.toLowerCase() === 'video/rtx');
  return [...h264.sort((a, b) => rank(a) - rank(b)), ...rtx];
}

// What the document's head and first packet take, of which nobody sees when they began.
const UNSEEN_BYTES = 1500;
// The document's size, about, and the part of it that is there when a page that still comes makes its offer.
const DOCUMENT_BYTES = 9100;
const PART = 0.7;
// A document out of the browser's cache is there by then.
const SURE_MS = 30;
// Browsers' clocks have steps of 1 ms, and home begins with its best picture long before this.
const LEAST_MS = 1;
const MOST_KBPS = 50_000;

/**
 * What the document came at, in kbit/s: home begins with a picture that such a path carries. Null where that cannot be told, as of a
 * document out of the browser's own cache.
 */
export function cameAt(entry = globalThis.performance?.getEntriesByType?.('navigation')[0], now = performance.now()) {
  if (!entry?.responseStart) return null;
  const came = entry.responseEnd > 0;
  // Home said that it has not changed: what came is next to nothing.
  if (came && entry.transferSize < entry.encodedBodySize) return null;
  if (!came && now - entry.responseStart < SURE_MS) return null;
  const bytes = (came ? entry.encodedBodySize : DOCUMENT_BYTES * PART) - UNSEEN_BYTES;
  if (bytes <= 0) return null;
  const ms = Math.max(LEAST_MS, (came ? entry.responseEnd : now) - entry.responseStart);
  return Math.min(MOST_KBPS, Math.max(1, Math.round((bytes * 8) / ms)));
}

let full = false;

/** Whether this device saves data, so that a smaller picture is to do. */
export const savesData = () => !full && globalThis.navigator?.connection?.saveData === true;

/** The person wants the full picture all the same, for this visit; or a new one begins. */
export function takeFull(wanted) {
  full = wanted;
}
