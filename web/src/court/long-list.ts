/** A long list of lines drawn in blocks, of which only those near the window are in the page. Plain TypeScript. */

export const BLOCK_LINES = 20;

/** Which blocks [from, to) touch the window, one window's length of reserve on either side. */
export function blocksInView(heights: readonly number[], top: number, window_px: number): { from: number; to: number } {
  let from = 0;
  let at = 0;
  while (from < heights.length - 1 && at + (heights[from] ?? 0) < top - window_px) at += heights[from++] ?? 0;
  let to = from;
  while (to < heights.length && at < top + 2 * window_px) at += heights[to++] ?? 0;
  return { from, to: Math.max(to, Math.min(heights.length, from + 1)) };
}

/** Height of a line before it was ever drawn, from its characters. */
export function guessedHeight(characters: number): number {
  return 44 + 26 * Math.ceil(Math.max(1, characters) / 16);
}
