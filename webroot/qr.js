// A QR code as a picture: from the rows that home sends to the path of an SVG.

/** So many modules stay light around it (ISO/IEC 18004); without them phones do not find it. */
export const QUIET = 4;
// The largest code, version 40.
const LARGEST = 177;

/**
 * `{ size, path }` for an SVG with the view box `0 0 size size`, the quiet zone included; null if `rows` are no code. In a row '1' is dark.
 */
export function qrPath(rows) {
  const modules = rows?.length ?? 0;
  if (!Array.isArray(rows) || modules === 0 || modules > LARGEST) return null;
  if (!rows.every((row) => typeof row === 'string' && row.length === modules && /^[01]+$/.test(row))) return null;
  // One piece for each run of dark modules: between single squares some screens show hairlines.
  const runs = rows.flatMap((row, y) => [...row.matchAll(/1+/g)].map(({ 0: run, index }) => `M${index + QUIET} ${y + QUIET}h${run.length}v1h-${run.length}z`));
  return { size: modules + 2 * QUIET, path: runs.join('') };
}
