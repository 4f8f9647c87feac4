import { describe, expect, it } from "vitest";

import { currentSitting, grouped, matches, needsWork, nextHearing, phaseOf, readiness, rollCall } from "@/court/docket";
import type { DocketItem, DocketParticipant, Role, SittingState } from "@/protocol";

const now = new Date("2026-11-20T01:00:00Z"); // 09:00 in court time

function person(role: Role, label: string, status: DocketParticipant["status"], link_state: DocketParticipant["link_state"] = "used"): DocketParticipant {
  return { id: label, role, label, name: label, status, link_state, network: null };
}

function item(id: string, scheduled_at: string, state: SittingState, more: Partial<DocketItem> = {}): DocketItem {
  return {
    hearing: { id, court_name: "", case_number: "", cause: "", title: id, procedure: "ordinary", public: true, courtroom: "", scheduled_at },
    sittings: [{ id: `s-${id}`, ordinal: 1, state, opened_at: null, closed_at: null, sealed: false }],
    participants: [],
    my_participant_id: "me",
    may_manage: true,
    ...more,
  };
}

describe("the next hearing", () => {
  const soon = item("soon", "2026-11-20T02:00:00Z", "scheduled");
  const later = item("later", "2026-11-20T06:00:00Z", "scheduled");
  const over = item("over", "2026-11-19T02:00:00Z", "closed");
  it("is the nearest", () => expect(nextHearing([later, over, soon], now)?.hearing.id).toBe("soon"));
  it("is the one in progress before any other", () => {
    expect(nextHearing([soon, item("running", "2026-11-20T00:00:00Z", "recess")], now)?.hearing.id).toBe("running");
  });
  it("is one with an open waiting area before a nearer one without", () => {
    expect(nextHearing([soon, item("lobby", "2026-11-20T03:00:00Z", "lobby")], now)?.hearing.id).toBe("lobby");
  });
  it("is one of the viewer's own where there is any", () => {
    expect(nextHearing([{ ...soon, my_participant_id: null }, later], now)?.hearing.id).toBe("later");
  });
  it("is none when all is over", () => expect(nextHearing([over, item("old", "2026-11-18T02:00:00Z", "scheduled")], now)).toBeNull());
});

describe("groups and filters", () => {
  it("go by the court's day and by state", () => {
    const items = [
      item("today", "2026-11-20T15:00:00Z", "scheduled"),
      item("tomorrow", "2026-11-20T16:00:00Z", "scheduled"), // 00:00 on the 21st in court time
      item("missed", "2026-11-18T02:00:00Z", "scheduled"),
      item("closed", "2026-11-20T00:30:00Z", "closed"),
    ];
    const groups = grouped(items, now);
    const names = (group: Parameters<typeof groups.get>[0]) => groups.get(group)?.map((one) => one.hearing.id);
    expect([names("restToday"), names("later"), names("earlier"), names("closedGroup")]).toEqual([["today"], ["tomorrow"], ["missed"], ["closed"]]);
  });
  it("follow the latest sitting", () => {
    const again = item("again", "2026-11-20T02:00:00Z", "closed");
    again.sittings = [{ ...again.sittings[0]!, ordinal: 2, id: "s2", state: "lobby" }, ...again.sittings];
    expect(currentSitting(again)?.id).toBe("s2");
    expect(phaseOf(again)).toBe("coming");
    expect(matches(again, "closed")).toBe(false);
    expect(matches(again, "all")).toBe(true);
  });
});

describe("readiness", () => {
  it("tells a waiting witness apart and staff without links", () => {
    expect(readiness(person("witness", "证", "waiting"))).toBe("isolated");
    expect(readiness(person("witness", "证", "present"))).toBe("present");
    expect(readiness(person("clerk", "书", "not_opened", "none"))).toBe("staff");
    expect(readiness(person("defendant", "被", "not_opened", "none"))).toBe("no_link");
    expect(readiness(person("defendant", "被", "not_opened", "expired"))).toBe("link_dead");
    expect(readiness(person("defendant", "被", "present", "expired"))).toBe("present");
  });
  it("asks for help where a test failed or a link is dead", () => {
    const failed = item("x", "2026-11-20T02:00:00Z", "scheduled", { participants: [person("defendant", "被", "test_failed")] });
    expect(needsWork(failed)).toBe(true);
    expect(needsWork({ ...failed, sittings: [{ ...failed.sittings[0]!, state: "closed" }] })).toBe(false);
  });
  it("counts a party as here when its agent is", () => {
    const people = [person("presiding_judge", "审", "present"), person("clerk", "书", "not_opened", "none"), person("plaintiff", "原1", "opened"), person("plaintiff", "原2", "opened"), person("agent", "原1代", "waiting"), person("defendant", "被", "present")];
    expect(rollCall(item("x", "2026-11-20T02:00:00Z", "lobby", { participants: people }))).toEqual({ panel: true, clerk: false, parties_missing: 1 });
  });
});
