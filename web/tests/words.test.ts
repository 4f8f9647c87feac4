/** Words looked up by a value of the wire or of our own tables: each value has its words. */
import { describe, expect, it } from "vitest";

import { FILTERS, GROUPS } from "@/court/docket";
import { IN_APP } from "@/court/in-app";
import { MEDIA_PATHS } from "@/court/network-paths";
import { BENIGN } from "@/court/record-lanes";
import { zhCN } from "@/locales/zh-CN";
import { PROCEDURES, ROLES, SITTING_STATES, STAGES } from "@/protocol";

const groups: [string, object, readonly string[]][] = [
  ["roles", zhCN.court.role, ROLES],
  ["full roles", zhCN.court.roleFull, ROLES],
  ["states", zhCN.court.state, SITTING_STATES],
  ["stages", zhCN.court.stage, STAGES],
  ["procedures", zhCN.court.procedure, PROCEDURES],
  ["filters", zhCN.docket.filters, FILTERS],
  ["groups of the docket", zhCN.docket, GROUPS],
  ["apps", zhCN.entry.join.inApp.apps, IN_APP],
  ["causes without loss", zhCN.record.cause, BENIGN],
  ["causes of loss", zhCN.record.cause, ["connection_lost", "recording_unfinished", "no_media", "media_restart", "leave", "disk_full", "overflow"]],
  ["refused links", zhCN.entry.join.refusal, ["used", "expired", "revoked", "unknown", "throttled", "offline", "failed"]],
  ["readiness", zhCN.docket.status, ["not_opened", "opened", "tested", "test_failed", "waiting", "present", "isolated", "staff", "no_link", "link_dead"]],
  ["links", zhCN.hearing.detail.link, ["none", "unused", "used", "expired", "revoked"]],
  ["sides", zhCN.exhibits.side, ["plaintiff", "defendant", "third_party", "court"]],
  ["network grades", zhCN.network.grade, ["good", "fair", "poor", "failed"]],
  ["network paths", zhCN.network.path, MEDIA_PATHS],
  ["network verdicts", zhCN.network.verdict, ["good", "fair", "poor"]],
  ["weaknesses of a network", zhCN.network.advice, ["slow_up", "slow_down", "loss", "delay", "jitter"]],
  ["causes of a failed path", zhCN.network.page.why, Object.keys(zhCN.network.problem)],
  ["advice on paths", zhCN.network.page.advice, ["direct", "relay", "weak", "noneRelay", "noneNoRelay"]],
  ["proofs", zhCN.record.proof, ["sealing", "complete", "complete_with_gaps", "damaged"]],
];

describe("words", () => {
  it.each(groups)("of all %s are there", (_, words, values) => {
    expect(values.filter((value) => typeof (words as Record<string, unknown>)[value] !== "string")).toEqual([]);
  });
});
