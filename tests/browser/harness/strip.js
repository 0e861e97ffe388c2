// Draws the coded strip for the time `at` (ms since 1970) and the number `seq` over the full `width`; gives its bits by row.
function strip(context, width, at, seq) {
  const bytes = new Uint8Array(9);
  let value = BigInt(at) % (1n << 44n) << 12n | BigInt(seq % 4096);
  for (let i = 6; i >= 0; i--) { bytes[i] = Number(value & 255n); value >>= 8n; }
  let crc = 0xffff;
  for (const byte of bytes.subarray(0, 7)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i++) crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xffff;
  }
  bytes[7] = crc >> 8; bytes[8] = crc & 255;
  const bits = Array.from({ length: 72 }, (_, i) => bytes[i >> 3] >> 7 - (i & 7) & 1);
  const rows = [[1, 0, 1, 0, ...bits.slice(0, 36)], [0, 1, 0, 1, ...bits.slice(36)]];
  rows.forEach((row, r) => row.forEach((bit, c) => {
    context.fillStyle = bit ? '#fff' : '#000';
    const x = Math.floor(c * width / 40), y = Math.floor(r * width / 40);
    context.fillRect(x, y, Math.ceil(width / 40), Math.ceil(width / 40));
  }));
  return rows.map(row => row.join(''));
}
