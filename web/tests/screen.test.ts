import { describe, expect, it } from "vitest";

import { arrivals } from "@/court/arrivals";
import { benchOrder, inFocus, nextStage, previousStage, roomOf, sayTo, screenOf } from "@/court/screen";
import { wantsMedia } from "@/court/seat";
import { EMPTY } from "@/court/state";
import type { DocketParticipant, ParticipantView } from "@/protocol";

import { person, sitting } from "./samples";

const seen = (place: ParticipantView["place"], extra: Parameters<typeof sitting>[0] = {}) => ({ phase: "joined" as const, sitting: sitting({ participants: [person("p_a", { place })], ...extra }) });

describe("screenOf", () => {
  it("keeps whoever is not in the courtroom out of the room", () => {
    expect(screenOf(seen("courtroom"))).toBe("room");
    expect(screenOf(seen("isolated"))).toBe("isolated");
    expect(screenOf(seen("waiting"))).toBe("waiting");
    expect(screenOf(seen("dismissed"))).toBe("dismissed");
    expect(screenOf(seen("outside", { part: "deliberation" }))).toBe("outside");
  });

  it("shows the end of a sitting to everyone, and before it the room only to whom may open it", () => {
    expect(screenOf(seen("isolated", { state: "closed" }))).toBe("closed");
    expect(screenOf(seen("courtroom", { state: "scheduled" }))).toBe("scheduled");
    expect(screenOf(seen("courtroom", { state: "scheduled", allowed: ["sitting.open_lobby"] }))).toBe("room");
  });

  it("puts refusal and replacement above all", () => {
    expect(screenOf({ ...seen("courtroom"), phase: "replaced" })).toBe("replaced");
    expect(screenOf({ phase: "refused", sitting: null })).toBe("refused");
    expect(screenOf({ phase: "connecting", sitting: null })).toBe("loading");
    expect(screenOf({ ...seen("courtroom"), phase: "lost" })).toBe("room");
  });
});

describe("wantsMedia", () => {
  it("asks for no connection for an isolated witness, nor outside a running sitting", () => {
    expect(wantsMedia(seen("courtroom"))).toBe(true);
    for (const place of ["isolated", "waiting", "dismissed", "outside"] as const) expect(wantsMedia(seen(place))).toBe(false);
    for (const state of ["scheduled", "closed", "cancelled"] as const) expect(wantsMedia(seen("courtroom", { state }))).toBe(false);
    expect(wantsMedia({ ...seen("courtroom"), phase: "replaced" })).toBe(false);
  });
});

describe("sayTo", () => {
  const say = (extra: Parameters<typeof sitting>[0], own: Partial<ParticipantView>) => sayTo(sitting(extra), person("p_a", own));

  it("tells a party what to do now", () => {
    expect(say({ floor: "p_a" }, {})).toBe("yourTurn");
    expect(say({ floor: "p_a" }, { microphone_off: true, may_speak: false })).toBe("yourTurnMic");
    expect(say({ floor: "p_b" }, { may_speak: false })).toBe("wait");
    expect(say({ floor: "p_b" }, { may_speak: false, microphone_off: true })).toBe("wait");
    expect(say({}, {})).toBe("open");
    expect(say({}, { may_speak: false, microphone_off: true })).toBe("openMic");
    expect(say({ floor: "p_a" }, { court_muted: true })).toBe("muted");
    expect(say({ state: "recess" }, {})).toBe("recess");
    expect(say({ state: "lobby" }, {})).toBe("lobby");
    expect(sayTo(sitting({ floor: "p_a" }), person("p_a"), false)).toBe("offline");
  });
});

describe("the room", () => {
  const people = [
    person("chief", { role: "presiding_judge", label: "审" }),
    person("a1", { role: "assessor", label: "陪" }),
    person("a2", { role: "assessor", label: "陪" }),
    person("clerk", { role: "clerk", label: "书" }),
    person("pl", { role: "plaintiff" }),
    person("de", { role: "defendant", label: "被" }),
    person("deAgent", { role: "agent", label: "被代", represents: "de" }),
    person("third", { role: "third_party", label: "三" }),
    person("wit", { role: "witness", label: "证" }),
    person("obs", { role: "observer", label: "旁" }),
  ];
  const ids = (list: readonly ParticipantView[]) => list.map((p) => p.id);

  it("seats the presiding judge in the middle, agents beside their party, nobody twice", () => {
    const room = roomOf(people);
    expect(ids(room.bench)).toEqual(["a1", "chief", "a2"]);
    expect(ids(room.clerks)).toEqual(["clerk"]);
    expect(ids(room.left)).toEqual(["pl", "third"]);
    expect(ids(room.right)).toEqual(["de", "deAgent", "wit"]);
    expect(ids(room.observers)).toEqual(["obs"]);
    expect(new Set([...room.bench, ...room.clerks, ...room.left, ...room.right, ...room.observers]).size).toBe(people.length);
  });

  it("orders a panel of seven around the presiding judge", () => {
    const panel = [people[0]!, ...Array.from({ length: 6 }, (_, i) => person(`x${i}`, { role: "assessor" }))];
    expect(benchOrder(panel)[3]?.id).toBe("chief");
  });

  it("shows large who has the floor, then who speaks, never oneself on a desk", () => {
    const state = { ...EMPTY, sitting: sitting({ me: "chief", participants: people, floor: "de" }), speaking: new Set(["pl"]) };
    expect(inFocus(state)?.id).toBe("de");
    expect(inFocus({ ...state, sitting: sitting({ me: "chief", participants: people }) })?.id).toBe("pl");
    expect(inFocus({ ...state, sitting: sitting({ me: "de", participants: people, floor: "de" }) })?.id).toBe("pl");
    expect(inFocus({ ...state, sitting: sitting({ me: "de", participants: people, floor: "de" }) }, true)?.id).toBe("de");
  });

  it("does not jump between people who speak at the same time", () => {
    const state = { ...EMPTY, sitting: sitting({ me: "chief", participants: people }), speaking: new Set(["pl", "de"]) };
    expect(inFocus(state)?.id).toBe("de");
    expect(inFocus(state, false, "pl")?.id).toBe("pl");
    expect(inFocus({ ...state, speaking: new Set(["de"]) }, false, "pl")?.id).toBe("de");
  });

  it("walks the stages both ways and ends at the ends", () => {
    expect(nextStage("evidence")).toBe("debate");
    expect(previousStage("evidence")).toBe("investigation");
    expect(nextStage("closing")).toBeNull();
    expect(previousStage("preparation")).toBeNull();
  });
});

describe("arrivals", () => {
  it("counts by group who waits or is present", () => {
    const of = (id: string, role: DocketParticipant["role"], label: string, status: DocketParticipant["status"]): DocketParticipant => ({ id, role, label, name: id, status, link_state: "used", network: null });
    const groups = arrivals([of("c", "clerk", "书", "present"), of("p", "plaintiff", "原", "waiting"), of("pa", "agent", "原代", "tested"), of("d", "defendant", "被", "opened")]);
    expect(groups).toEqual([
      { key: "clerk", all: 1, arrived: 1 },
      { key: "plaintiff", all: 2, arrived: 1 },
      { key: "defendant", all: 1, arrived: 0 },
    ]);
  });
});
