/** The machine draft as the page works on it: marked pieces of a line, places in it, and the ports by which it is corrected. */
import type { CaptionsEdited, CaptionView, LineHistory, MarkKind, MarkView } from "@/protocol";

/** Corrections go over the socket in the courtroom and over HTTP from the record page. */
export interface DraftPort {
  replace(line: CaptionView, text: string): Promise<CaptionsEdited>;
  split(line: CaptionView, at: number): Promise<CaptionsEdited>;
  merge(line: CaptionView, other: CaptionView): Promise<CaptionsEdited>;
  setSpeaker(line: CaptionView, participant_id: string): Promise<CaptionsEdited>;
  history(line: CaptionView): Promise<LineHistory>;
}

/** Some characters of a line that carry the same marks. */
export interface Piece {
  text: string;
  marks: readonly MarkView[];
}

/** How many characters as the server counts them (code points) stand before a place as the browser counts it (UTF-16). */
export const codePoints = (text: string, utf16: number): number => Array.from(text.slice(0, utf16)).length;

/** The line cut where marks begin and end. */
export function piecesOf(text: string, marks: readonly MarkView[]): Piece[] {
  const letters = Array.from(text);
  const cuts = new Set([0, letters.length]);
  for (const { start, end } of marks) {
    cuts.add(Math.min(start, letters.length));
    cuts.add(Math.min(end, letters.length));
  }
  const places = [...cuts].sort((a, b) => a - b);
  return places.slice(0, -1).map((from, i) => {
    const to = places[i + 1] ?? letters.length;
    return { text: letters.slice(from, to).join(""), marks: marks.filter((mark) => mark.start <= from && mark.end >= to) };
  });
}

/** The mark that shows where several lie on the same characters: what may turn the sense round comes first. */
const WEIGHT: readonly MarkKind[] = ["negation", "second_opinion", "low_confidence", "number", "name"];

export const strongest = (marks: readonly MarkView[]): MarkKind | null => WEIGHT.find((kind) => marks.some((mark) => mark.kind === kind)) ?? null;

/** Whether a person should look at this line: the machine's text with marks in it. A name heard right is no question. */
export const wantsLook = (line: CaptionView): boolean => line.machine && line.marks.some((mark) => mark.kind !== "name" || mark.note !== "");

/** The line that may be merged into this one: the next at the same microphone, if the same person speaks. */
export function nextOfSpeaker(lines: readonly CaptionView[], line: CaptionView): CaptionView | null {
  const at = lines.findIndex((one) => one.id === line.id);
  const next = lines.slice(at + 1).find((one) => one.kind === "speech" && one.track_id === line.track_id);
  return at >= 0 && next?.participant_id === line.participant_id ? next : null;
}

/** The lines after a correction, by time. */
export function withEdits(lines: readonly CaptionView[], edits: CaptionsEdited): readonly CaptionView[] {
  const news = new Map(edits.captions.map((line) => [line.id, line]));
  const gone = new Set(edits.gone);
  const kept = lines.filter((line) => !gone.has(line.id)).map((line) => news.get(line.id) ?? line);
  const added = edits.captions.filter((line) => !lines.some((one) => one.id === line.id));
  return added.length ? [...kept, ...added].sort((a, b) => a.t0_ms - b.t0_ms) : kept;
}
