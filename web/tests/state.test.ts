import { describe, expect, it } from "vitest";

import { addCaption, currentProgress, EMPTY, PROGRESS_LASTS_MS, reduce } from "@/court/state";

import { caption, person, sitting } from "./samples";

const updated = (number: number, extra: Parameters<typeof sitting>[0] = {}, atMs = 0) => ({ type: "sitting.updated" as const, sitting: sitting({ number, ...extra }), atMs });

describe("reduce", () => {
  it("lets the higher number win, whatever arrives last", () => {
    const late = reduce(reduce(EMPTY, updated(8, { stage: "debate" })), updated(7, { stage: "evidence" }));
    expect(late.sitting?.number).toBe(8);
    expect(late.sitting?.stage).toBe("debate");
  });

  it("takes an equal number again, because presence changes without a ledger entry", () => {
    const again = reduce(reduce(EMPTY, updated(8)), updated(8, { recording: "fault" }));
    expect(again.sitting?.recording).toBe("fault");
  });

  it("counts a drop from when it was seen, and forgets it when the person is back", () => {
    const here = reduce(EMPTY, updated(1, { participants: [person("p_a")] }, 1_000));
    const gone = reduce(here, updated(2, { participants: [person("p_a", { present: false })] }, 5_000));
    expect(gone.lostSince).toEqual({ p_a: 5_000 });
    const still = reduce(gone, updated(3, { participants: [person("p_a", { present: false })] }, 9_000));
    expect(still.lostSince).toEqual({ p_a: 5_000 });
    expect(reduce(still, updated(4, { participants: [person("p_a")] }, 9_500)).lostSince).toEqual({});
  });

  it("does not call somebody dropped who never came", () => {
    expect(reduce(EMPTY, updated(1, { participants: [person("p_a", { present: false })] })).lostSince).toEqual({});
  });

  it("stops showing a person as speaking when the person is gone or the court is in recess", () => {
    const speaks = reduce(reduce(EMPTY, updated(1, { participants: [person("p_a")] })), { type: "speaking.changed", participant_id: "p_a", speaking: true });
    expect([...speaks.speaking]).toEqual(["p_a"]);
    expect(reduce(speaks, updated(2, { participants: [person("p_a", { present: false })] })).speaking.size).toBe(0);
    expect(reduce(speaks, updated(2, { state: "recess", participants: [person("p_a")] })).speaking.size).toBe(0);
    expect(speaks.lastSpeaker).toBe("p_a");
  });

  it("merges the captions of a second join with those it has", () => {
    const joined = (captions: ReturnType<typeof caption>[]) => ({ type: "joined" as const, joined: { sitting: sitting({}), captions, captions_gone: [], ice_servers: [], relay_only: false }, atMs: 0 });
    const state = reduce(reduce(EMPTY, joined([caption("a", 1_000), caption("b", 2_000)])), joined([caption("b", 2_000), caption("c", 3_000)]));
    expect(state.captions.map((c) => c.id)).toEqual(["a", "b", "c"]);
  });
});

describe("what is being written", () => {
  it("replaces what was told before as a whole", () => {
    const told = (writing: string[], delay_s = 0, atMs = 0) => ({ type: "captions.progress" as const, writing, delay_s, atMs });
    const state = reduce(reduce(EMPTY, told(["p_a", "p_b"], 7)), told(["p_b"], 0, 500));
    expect(state.progress).toEqual({ writing: ["p_b"], delayS: 0, atMs: 500 });
  });

  it("is over when the server has been silent about it", () => {
    const progress = { writing: ["p_a"], delayS: 0, atMs: 1_000 };
    expect(currentProgress(progress, 1_000 + PROGRESS_LASTS_MS - 1)).toBe(progress);
    expect(currentProgress(progress, 1_000 + PROGRESS_LASTS_MS)).toBeNull();
    expect(currentProgress(null, 0)).toBeNull();
  });
});

describe("addCaption", () => {
  it("puts a late line where it was spoken and replaces a line by its later version", () => {
    const lines = addCaption([caption("a", 1_000), caption("c", 3_000)], caption("b", 2_000));
    expect(lines.map((c) => c.id)).toEqual(["a", "b", "c"]);
    const corrected = addCaption(lines, caption("b", 2_000, "改正"));
    expect(corrected.map((c) => c.text)).toEqual(["a", "改正", "c"]);
  });

  it("keeps lines of the same moment in the order of arrival", () => {
    expect(addCaption([caption("a", 1_000)], caption("b", 1_000)).map((c) => c.id)).toEqual(["a", "b"]);
  });
});
