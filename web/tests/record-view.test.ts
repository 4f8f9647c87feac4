import { describe, expect, it } from "vitest";

import { isHeard, seenNow, wantsOf } from "@/court/cast";
import { blocksInView, guessedHeight } from "@/court/long-list";
import { PlayedLog } from "@/court/played";
import { SegmentIndex, unpack, unpackSpans } from "@/court/segment-index";
import type { CaptionView, ParticipantView, RecordTrack, SegmentPage } from "@/protocol";

const track = (participant_id: string, kind: RecordTrack["kind"]): RecordTrack => ({ track_id: `${participant_id}-${kind}`, participant_id, kind, recorded_ms: 0, bytes: 0, gaps: [] });
const says = (participant_id: string, t0_ms: number) => ({ kind: "speech", participant_id, t0_ms, t1_ms: t0_ms + 1000 }) as CaptionView;
const nobody = { muted: new Set<string>(), solo: new Set<string>() };

describe("what was played", () => {
  it("is told in stretches, a jump begins a new one", () => {
    const log = new PlayedLog();
    for (const t_ms of [0, 100, 200, 300]) log.note(t_ms, true);
    log.note(60_000, true);
    log.note(60_500, true);
    log.note(60_500, false);
    expect(log.take()).toEqual([0, 300, 60_000, 60_500]);
    expect(log.take()).toEqual([]);
  });
  it("goes on over a report, and comes again when the report was lost", () => {
    const log = new PlayedLog();
    log.note(0, true);
    log.note(1000, true);
    const lost = log.take();
    expect(lost).toEqual([0, 1000]);
    log.giveBack(lost);
    log.note(2000, true);
    expect(log.take()).toEqual([0, 1000, 1000, 2000]);
  });
  it("is nothing while the replay stands", () => {
    const log = new PlayedLog();
    log.note(5000, false);
    log.note(5000, false);
    expect(log.take()).toEqual([]);
  });
});

describe("the index of segments", () => {
  const pages: Record<number, number[]> = { 0: [0, 0, 9980, 59, 590_000, 600_020], 1: [59, 590_000, 600_020, 60, 600_020, 610_000] };

  it("is fetched around the playhead and joined over its pieces", async () => {
    const asked: number[] = [];
    let news = 0;
    const index = new SegmentIndex((page) => {
      asked.push(page);
      return Promise.resolve<SegmentPage>({ tracks: [{ track_id: "a", segments: pages[page] ?? [] }] });
    }, 600_000, () => (news += 1), () => 0);
    expect(index.knows(1000)).toBe(false);
    index.need(595_000, [{ t0_ms: 595_000, t1_ms: 640_000 }]);
    index.need(595_000, [{ t0_ms: 595_000, t1_ms: 640_000 }]);
    await Promise.resolve();
    await Promise.resolve();
    expect(asked).toEqual([0, 1]);
    expect(news).toBe(2);
    expect(index.knows(1000)).toBe(true);
    expect(index.of("a").map((one) => one.index)).toEqual([0, 59, 60]);
  });

  it("keeps few pieces, the nearest", async () => {
    const index = new SegmentIndex((page) => Promise.resolve<SegmentPage>({ tracks: [{ track_id: "a", segments: [page, page, page + 1] }] }), 1000, () => undefined, () => 0);
    for (let t_ms = 0; t_ms < 20_000; t_ms += 1000) {
      index.need(t_ms, []);
      await Promise.resolve();
      await Promise.resolve();
    }
    index.need(19_000, []);
    expect(index.of("a").map((one) => one.index)).toEqual([14, 15, 16, 17, 18, 19]);
  });

  it("asks again after a while when it got no answer", async () => {
    let now = 0;
    let asked = 0;
    const index = new SegmentIndex(() => {
      asked += 1;
      return Promise.reject(new Error("offline"));
    }, 1000, () => undefined, () => now);
    index.need(0, []);
    await Promise.resolve();
    await Promise.resolve();
    index.need(0, []);
    expect(asked).toBe(1);
    now = 3000;
    index.need(0, []);
    expect(asked).toBe(2);
  });

  it("unpacks flat lists", () => {
    expect(unpack([7, 0, 10])).toEqual([{ index: 7, t0_ms: 0, t1_ms: 10 }]);
    expect(unpackSpans([1, 2, 5, 9])).toEqual([{ t0_ms: 1, t1_ms: 2 }, { t0_ms: 5, t1_ms: 9 }]);
  });
});

describe("whom one hears and sees", () => {
  const tracks = [track("a", "audio"), track("a", "video"), track("b", "audio"), track("b", "video"), track("b", "screen")];
  it("everybody but the muted, or only those chosen", () => {
    expect(isHeard("a", { layout: "court", ...nobody })).toBe(true);
    expect(isHeard("a", { layout: "court", muted: new Set(["a"]), solo: new Set() })).toBe(false);
    expect(isHeard("a", { layout: "court", muted: new Set(["a"]), solo: new Set(["a"]) })).toBe(true);
    expect(isHeard("b", { layout: "court", muted: new Set(), solo: new Set(["a"]) })).toBe(false);
  });
  it("waits for voices and the large picture only, and fetches no picture for who only listens", () => {
    const wants = wantsOf(tracks, { layout: "court", ...nobody }, new Set(["a", "b"]), "a", null);
    expect([...wants.values()]).toEqual(["essential", "essential", "essential", "extra", "no"]);
    const sound = wantsOf(tracks, { layout: "sound", ...nobody }, new Set(), "a", "b");
    expect([...sound.values()]).toEqual(["essential", "no", "essential", "no", "no"]);
  });
  it("gives pictures to who speaks soon and spoke last, no more than fit", () => {
    const people = ["a", "b", "c", "d"].map((id) => ({ id }) as ParticipantView);
    const lines = [says("a", 0), says("b", 5000), says("c", 30_000)];
    const pictured = new Set(["a", "b", "c", "d"]);
    expect([...seenNow(lines, people, pictured, 6000, 2)]).toEqual(["b", "a"]);
    expect([...seenNow(lines, people, pictured, 20_000, 2)]).toEqual(["c", "b"]);
    expect(seenNow(lines, people, new Set(["d"]), 20_000, 2)).toEqual(new Set(["d"]));
  });
});

describe("a long list", () => {
  const heights = Array.from({ length: 100 }, () => 1000);
  it("draws the blocks near the window only", () => {
    expect(blocksInView(heights, 0, 600)).toEqual({ from: 0, to: 2 });
    const middle = blocksInView(heights, 50_000, 600);
    expect(middle.from).toBeGreaterThan(47);
    expect(middle.to).toBeLessThan(54);
    expect(blocksInView(heights, 99_900, 600).to).toBe(100);
    expect(blocksInView([], 0, 600)).toEqual({ from: 0, to: 0 });
  });
  it("guesses more for longer lines", () => expect(guessedHeight(200)).toBeGreaterThan(guessedHeight(10)));
});
