import { describe, expect, it } from "vitest";

import { codePoints, nextOfSpeaker, piecesOf, strongest, wantsLook, withEdits } from "@/court/draft";
import { EMPTY, reduce } from "@/court/state";

import { caption } from "./samples";

const mark = (kind: "number" | "negation" | "name", start: number, end: number, note = "") => ({ kind, start, end, note });

describe("the draft on the page", () => {
  it("cuts a line where marks begin and end, counting characters as the server does", () => {
    const pieces = piecesOf("𠮷野没有还五万元。", [mark("negation", 2, 4), mark("number", 5, 8, "五万块"), mark("name", 0, 2)]);
    expect(pieces.map((piece) => [piece.text, strongest(piece.marks)])).toEqual([["𠮷野", "name"], ["没有", "negation"], ["还", null], ["五万元", "number"], ["。", null]]);
    expect(codePoints("𠮷野没有", 3)).toBe(2);
  });

  it("asks for a look at the machine's own text only, and not for names that were heard right", () => {
    const line = { ...caption("a", 0), marks: [mark("name", 0, 1)] };
    expect(wantsLook(line)).toBe(false);
    expect(wantsLook({ ...line, marks: [mark("name", 0, 1, "张薇")] })).toBe(true);
    expect(wantsLook({ ...line, marks: [mark("negation", 0, 1)], machine: false })).toBe(false);
  });

  it("offers to merge only with the next line of the same microphone and person", () => {
    const [one, other, two] = [caption("a", 0), { ...caption("b", 10), track_id: "p_b-audio", participant_id: "p_b" }, caption("c", 20)];
    expect(nextOfSpeaker([one, other, two], one)?.id).toBe("c");
    expect(nextOfSpeaker([one, other, { ...two, participant_id: "p_w" }], one)).toBeNull();
    expect(nextOfSpeaker([one], one)).toBeNull();
  });

  it("follows a correction: texts change, second halves come in at their time, swallowed lines go", () => {
    const lines = [caption("a", 0), caption("b", 1000), caption("c", 2000)];
    const edits = { captions: [{ ...caption("a", 0), text: "改" }, caption("a/rev_1", 500)], gone: ["c"] };
    expect(withEdits(lines, edits).map((line) => [line.id, line.text])).toEqual([["a", "改"], ["a/rev_1", "a/rev_1"], ["b", "b"]]);
    const state = reduce({ ...EMPTY, captions: lines }, { type: "captions.edited", edits });
    expect(state.captions.map((line) => line.id)).toEqual(["a", "a/rev_1", "b"]);
  });
});
