import { describe, expect, it } from "vitest";

import { correction, intervalAt, PATIENCE_MS, playOrder, Replay, ReplayClock, SEEK_BEYOND_MS, segmentAt, spentSegments, wantedSegments, type Coverage, type TrackPort } from "@/court/replay";
import type { Segment } from "@/court/segment-index";
import type { RecordInterval } from "@/protocol";

/** A hand-driven monotonic clock. */
function handClock() {
  const time = { ms: 1000 };
  return { now: () => time.ms, pass: (ms: number) => (time.ms += ms) };
}

/** A track whose own clock runs like a real element's: at its rate, only while playing. */
class FakeTrack implements TrackPort {
  heading_ms: number | null = null;
  playing = false;
  rate = 1;
  at_ms = 0;
  holes: [number, number][] = [];
  seeks: number[] = [];
  loads: number[] = [];
  closed = false;

  constructor(
    readonly track_id: string,
    readonly kind: "audio" | "video" = "audio",
    public state: (t_ms: number) => Coverage = () => "ready",
  ) {}

  coverage = (t_ms: number) => this.state(t_ms);
  position_ms = () => this.at_ms;
  reaches = (t_ms: number) => !this.holes.some(([a, b]) => this.at_ms <= a && t_ms >= b);
  seek(t_ms: number) {
    this.seeks.push(t_ms);
    this.at_ms = t_ms;
  }
  play = () => void (this.playing = true);
  pause = () => void (this.playing = false);
  setRate = (rate: number) => void (this.rate = rate);
  load = (t_ms: number) => void this.loads.push(t_ms);
  close = () => void (this.closed = true);
  run(ms: number) {
    if (this.playing) this.at_ms += ms * this.rate;
  }
}

const open = { part: "open", author: null, ruling: "" } as const;
const session = (t0_ms: number, t1_ms: number): RecordInterval => ({ state: "in_session", t0_ms, t1_ms, recorded: "full", cause: "", ...open });
const recess = (t0_ms: number, t1_ms: number): RecordInterval => ({ state: "recess", t0_ms, t1_ms, recorded: "none", cause: "休庭", ...open });

function room(tracks: FakeTrack[], intervals: RecordInterval[] = [session(0, 60_000)]) {
  const hand = handClock();
  const clock = new ReplayClock(hand.now, intervals.at(-1)?.t1_ms ?? 0);
  const replay = new Replay(clock, tracks, hand.now);
  replay.skips = intervals.filter((one) => one.recorded === "none");
  const run = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      hand.pass(100);
      for (const track of tracks) track.run(100);
      replay.tick();
    }
  };
  return { clock, replay, run };
}

describe("correction", () => {
  it("leaves a small offset alone", () => expect(correction(15, 1, "audio")).toEqual({ act: "hold", rate: 1 }));
  it("slows a track that is ahead", () => {
    const step = correction(100, 1, "video");
    expect(step.act === "bend" && step.rate < 1).toBe(true);
  });
  it("hurries a track that is behind, at the speed in use", () => {
    const step = correction(-100, 2, "video");
    expect(step.act === "bend" && step.rate > 2).toBe(true);
  });
  it("bends sound less than picture", () => {
    expect(correction(-150, 1, "audio")).toEqual({ act: "bend", rate: 1.1 });
    expect(correction(-150, 1, "video")).toEqual({ act: "bend", rate: 1.25 });
  });
  it("jumps when the offset is large", () => expect(correction(SEEK_BEYOND_MS + 1, 1, "audio")).toEqual({ act: "seek" }));
});

describe("the clock of a replay", () => {
  it("runs, stops, scales and stays inside the sitting", () => {
    const hand = handClock();
    const clock = new ReplayClock(hand.now, 10_000);
    clock.start();
    hand.pass(1000);
    expect(clock.t_ms).toBe(1000);
    clock.setRate(2);
    hand.pass(1000);
    expect(clock.t_ms).toBe(3000);
    clock.stop();
    hand.pass(5000);
    expect(clock.t_ms).toBe(3000);
    clock.seek(99_000);
    expect(clock.t_ms).toBe(10_000);
    clock.seek(-5);
    expect(clock.t_ms).toBe(0);
  });
});

describe("replay", () => {
  it("brings a lagging track within 100 ms of the clock and the others", () => {
    const tracks = [new FakeTrack("a"), new FakeTrack("b"), new FakeTrack("c", "video")];
    const { clock, replay, run } = room(tracks);
    replay.play();
    run(500);
    tracks[1]!.at_ms -= 190;
    tracks[2]!.at_ms += 180;
    run(5000);
    for (const track of tracks) expect(Math.abs(track.at_ms - clock.t_ms)).toBeLessThan(60);
    expect(tracks.flatMap((track) => track.seeks)).toEqual([]);
  });

  it("keeps pace at every speed", () => {
    const track = new FakeTrack("a");
    const { clock, replay, run } = room([track]);
    replay.play();
    for (const speed of [2, 0.5, 1.5]) {
      replay.setRate(speed);
      run(4000);
      expect(Math.abs(track.at_ms - clock.t_ms)).toBeLessThan(60 * speed);
    }
  });

  it("takes every track along on a jump, also while paused", () => {
    const tracks = [new FakeTrack("a"), new FakeTrack("b", "video")];
    const { clock, replay } = room(tracks);
    replay.seek(30_000);
    expect(replay.state).toBe("paused");
    expect(tracks.map((track) => track.at_ms)).toEqual([30_000, 30_000]);
    expect(clock.t_ms).toBe(30_000);
  });

  it("waits for data and goes on when it is there", () => {
    let here = false;
    const track = new FakeTrack("a", "audio", () => (here ? "ready" : "loading"));
    const { clock, replay, run } = room([track, new FakeTrack("b")]);
    replay.play();
    run(1000);
    expect(replay.state).toBe("waiting");
    expect(clock.t_ms).toBe(0);
    here = true;
    run(1000);
    expect(replay.state).toBe("playing");
    expect(clock.t_ms).toBeGreaterThan(800);
  });

  it("goes on without a track that does not come", () => {
    const late = new FakeTrack("a", "audio", () => "loading");
    const other = new FakeTrack("b");
    const { clock, replay, run } = room([late, other]);
    replay.play();
    run(PATIENCE_MS + 2000);
    expect(replay.state).toBe("playing");
    expect(clock.t_ms).toBeGreaterThan(1000);
    expect(late.playing).toBe(false);
    expect(other.playing).toBe(true);
  });

  it("plays on through a gap of one track and catches it up behind the gap", () => {
    const gappy = new FakeTrack("a", "video", (t) => (t >= 2000 && t < 4000 ? "none" : "ready"));
    gappy.holes = [[2000, 4000]];
    const { clock, replay, run } = room([gappy, new FakeTrack("b")]);
    replay.play();
    run(3000);
    expect(gappy.playing).toBe(false);
    gappy.at_ms = 2000; // where the frames ended
    run(1500);
    expect(gappy.playing).toBe(true);
    expect(Math.abs(gappy.at_ms - clock.t_ms)).toBeLessThan(100);
    expect(gappy.seeks.length).toBe(1);
  });

  it("jumps where its frames do not reach, however small the offset", () => {
    const track = new FakeTrack("a", "video");
    const { replay, run } = room([track]);
    replay.play();
    run(1000);
    track.reaches = () => false;
    run(100);
    expect(track.seeks.length).toBe(1);
  });

  it("skips a break, or sits through it when asked to", () => {
    const intervals = [session(0, 2000), recess(2000, 12_000), session(12_000, 20_000)];
    const skipping = room([new FakeTrack("a")], intervals);
    skipping.replay.play();
    skipping.run(3000);
    expect(skipping.clock.t_ms).toBeGreaterThan(12_500);
    const sitting = room([new FakeTrack("a")], intervals);
    sitting.replay.skips = [];
    sitting.replay.play();
    sitting.run(3000);
    expect(sitting.clock.t_ms).toBeLessThan(3200);
  });

  it("ends at 闭庭 and begins again from there", () => {
    const { clock, replay, run } = room([new FakeTrack("a")], [session(0, 1000)]);
    replay.play();
    run(1500);
    expect(replay.state).toBe("ended");
    replay.play();
    expect(clock.t_ms).toBe(0);
    expect(replay.state).toBe("playing");
  });

  it("asks again when a jump is on its way to the wrong place", () => {
    const track = new FakeTrack("a");
    const { replay } = room([track]);
    replay.seek(59_000);
    track.heading_ms = 59_000;
    replay.seek(59_200);
    expect(track.seeks).toEqual([59_000]);
    replay.seek(1000);
    expect(track.seeks).toEqual([59_000, 1000]);
  });

  it("starts all together once every voice is in its place, and does not wait for a small picture", () => {
    const tracks = [new FakeTrack("a"), new FakeTrack("b"), new FakeTrack("c", "video")];
    const { clock, replay, run } = room(tracks);
    tracks[1]!.seek = (t_ms) => void (tracks[1]!.heading_ms = t_ms);
    tracks[2]!.seek = (t_ms) => void (tracks[2]!.heading_ms = t_ms);
    replay.seek(30_000);
    replay.play();
    run(500);
    expect([replay.state, clock.t_ms, tracks[0]!.playing]).toEqual(["waiting", 30_000, false]);
    tracks[1]!.at_ms = 30_000;
    tracks[1]!.heading_ms = null;
    run(100);
    expect([replay.state, tracks[0]!.playing, tracks[1]!.playing, tracks[2]!.at_ms]).toEqual(["playing", true, true, 0]);
  });

  it("leaves alone whom nobody wants to hear", () => {
    const tracks = [new FakeTrack("a"), new FakeTrack("b", "audio", () => "loading")];
    const { replay, run } = room(tracks);
    replay.want("b", "no");
    replay.play();
    run(1000);
    expect(replay.state).toBe("playing");
    expect(tracks.map((track) => track.playing)).toEqual([true, false]);
  });

  it("waits as long as the network is away", () => {
    const { replay, run } = room([new FakeTrack("a", "audio", () => "loading")]);
    replay.hold = true;
    replay.play();
    run(PATIENCE_MS + 5000);
    expect(replay.state).toBe("waiting");
  });

  it("closes its tracks", () => {
    const track = new FakeTrack("a");
    const { replay } = room([track]);
    replay.close();
    expect(track.closed).toBe(true);
  });
});

describe("segments around the playhead", () => {
  const segments = Array.from({ length: 10 }, (_, index): Segment => ({ index, t0_ms: index * 10_000, t1_ms: (index + 1) * 10_000 - 20, }));
  it("finds the one that holds a moment, also in the rounding between two", () => {
    expect(segmentAt(segments, 0)?.index).toBe(0);
    expect(segmentAt(segments, 9990)?.index).toBe(0);
    expect(segmentAt(segments, 10_000)?.index).toBe(1);
    expect(segmentAt(segments, 200_000)).toBeNull();
  });
  it("wants the one under the playhead first", () => {
    expect(wantedSegments(segments, [{ t0_ms: 25_000, t1_ms: 50_000 }]).map((one) => one.index)).toEqual([2, 3, 4]);
  });
  it("looks behind what will be skipped", () => {
    const skips = [{ t0_ms: 30_000, t1_ms: 70_000 }];
    expect(playOrder(25_000, 25_000, skips)).toEqual([{ t0_ms: 25_000, t1_ms: 30_000 }, { t0_ms: 70_000, t1_ms: 90_000 }]);
    expect(playOrder(40_000, 10_000, skips)).toEqual([{ t0_ms: 70_000, t1_ms: 80_000 }]);
    expect(wantedSegments(segments, playOrder(25_000, 25_000, skips)).map((one) => one.index)).toEqual([2, 7, 8]);
  });
  it("lets go of what is far", () => {
    expect(spentSegments(segments, 55_000, [{ t0_ms: 55_000, t1_ms: 60_000 }], { t0_ms: 20_000, t1_ms: 30_000 }).map((one) => one.index)).toEqual([0, 1, 2, 9]);
  });
  it("finds the interval, its last moment included", () => {
    const intervals = [session(0, 1000), recess(1000, 2000)];
    expect(intervalAt(intervals, 1000)?.state).toBe("recess");
    expect(intervalAt(intervals, 2000)?.state).toBe("recess");
    expect(intervalAt(intervals, 2001)).toBeNull();
  });
});
