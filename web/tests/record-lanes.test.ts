import { describe, expect, it } from "vitest";

import { causeAt, exhibitStretches, followedLine, gapStretches, lastSpeaker, momentsOf, percent, recordingStretches, rulerMarks, screenAt, showingAt, speakerAt, speakerLanes, stretchStyle } from "@/court/record-lanes";
import type { CaptionView, ParticipantView, RecordShowing, RecordTrack, Role } from "@/protocol";

function line(id: string, participant_id: string | null, t0_ms: number, t1_ms: number, kind: CaptionView["kind"] = "speech"): CaptionView {
  return { id, kind, participant_id, label: "", name: "", t0_ms, t1_ms, text: "", confidence: null, engine: null, origin: "live", track_id: null, marks: [], version: 0, machine: true, revision: "", edited_by: null, edited_at: null };
}

function person(id: string, role: Role): ParticipantView {
  return { id, role, name: id, label: "", represents: null, present: false, attended: true, place: "courtroom", may_speak: false, may_present: false, court_muted: false, microphone_off: false, camera_off: false, camera_leave: false, must_be_seen: false, difficulties: [] };
}

function track(participant_id: string, kind: "audio" | "video", gaps: RecordTrack["gaps"]): RecordTrack {
  return { track_id: `${participant_id}-${kind}`, participant_id, kind, recorded_ms: 0, bytes: 0, gaps };
}

const lines = [line("1", "judge", 0, 1000), line("2", "judge", 1500, 2000), line("3", "p", 5000, 6000), line("4", null, 7000, 7000, "act")];

describe("lanes", () => {
  it("place a stretch and keep a short one visible", () => {
    expect(percent(30, 60)).toBe(50);
    expect(percent(90, 60)).toBe(100);
    expect(percent(1, 0)).toBe(0);
    expect(stretchStyle({ t0_ms: 15, t1_ms: 30 }, 60)).toEqual({ insetInlineStart: "25.000%", inlineSize: "max(3px, 25.000%)" });
  });
  it("join a speaker's neighbouring lines, in the order of the seats, silent people left out", () => {
    const lanes = speakerLanes(lines, [person("p", "plaintiff"), person("d", "defendant"), person("judge", "presiding_judge")]);
    expect(lanes.map((lane) => lane.participant_id)).toEqual(["judge", "p"]);
    expect(lanes[0]?.spans).toEqual([{ t0_ms: 0, t1_ms: 2000 }]);
  });
  it("show what is missing once per person, and nothing where nothing was to be recorded", () => {
    const tracks = [
      track("d", "audio", [{ t0_ms: 10, t1_ms: 20, cause: "connection_lost" }]),
      track("d", "video", [{ t0_ms: 12, t1_ms: 25, cause: "connection_lost" }, { t0_ms: 40, t1_ms: 50, cause: "camera_off" }]),
    ];
    expect(gapStretches(tracks)).toEqual([{ t0_ms: 10, t1_ms: 25, cause: "connection_lost", kind: "gap", participant_id: "d" }]);
    expect(causeAt(tracks[1]!, 45)).toBe("camera_off");
    expect(causeAt(tracks[1]!, 30)).toBeNull();
  });
  it("show a break where the sitting was not recorded", () => {
    const stretches = recordingStretches({ intervals: [{ state: "recess", t0_ms: 0, t1_ms: 9, recorded: "none", cause: "休庭", part: "open", author: null, ruling: "" }], hidden: [], tracks: [] });
    expect(stretches[0]?.kind).toBe("break");
  });
  it("mark time from begin to end", () => expect(rulerMarks(600, 4)).toEqual([0, 200, 400, 600]));
});

describe("moments", () => {
  const showings: RecordShowing[] = [
    { exhibit_id: "e1", page: 1, presenter_id: "p", t0_ms: 100, t1_ms: 200 },
    { exhibit_id: "e1", page: 2, presenter_id: "p", t0_ms: 200, t1_ms: 300 },
    { exhibit_id: "e2", page: 1, presenter_id: "p", t0_ms: 5000, t1_ms: 6000 },
    { exhibit_id: "e1", page: 1, presenter_id: "p", t0_ms: 9000, t1_ms: 9500 },
  ];
  it("follow the page that was shown", () => {
    expect(showingAt(showings, 250)?.page).toBe(2);
    const screens = [{ participant_id: "p", t0_ms: 300, t1_ms: 500 }];
    expect([299, 300, 499, 500].map((at) => screenAt(screens, at)?.participant_id ?? null)).toEqual([null, "p", "p", null]);
    expect(showingAt(showings, 300)).toBeNull();
  });
  it("of an exhibit join its pages", () => {
    expect(momentsOf(showings, "e1")).toEqual([{ t0_ms: 100, t1_ms: 300 }, { t0_ms: 9000, t1_ms: 9500 }]);
    expect(exhibitStretches(showings).map((one) => one.exhibit_id)).toEqual(["e1", "e2", "e1"]);
  });
  it("know who speaks and who spoke last", () => {
    expect(speakerAt(lines, 500)).toBe("judge");
    expect(speakerAt(lines, 3000)).toBeNull();
    expect(lastSpeaker(lines, 3000)).toBe("judge");
    expect(lastSpeaker(lines, 7500)).toBe("p");
  });
  it("follow the line that began last", () => {
    expect(followedLine(lines, -1)).toBe(-1);
    expect(followedLine(lines, 0)).toBe(0);
    expect(followedLine(lines, 4999)).toBe(1);
    expect(followedLine(lines, 99_999)).toBe(3);
  });
});
